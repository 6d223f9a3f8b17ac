import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { type Clock, systemClock } from "../clock.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { ForwardOptions, HandlerDelivery, Receipt, SubscribeOptions } from "../options.ts";
import { receivedGetter } from "../propagation/carrier.ts";
import { readTraceContext } from "../propagation/read.ts";
import { writeTraceContext } from "../propagation/write.ts";
import { sleep } from "../sleep.ts";
import type { Subscription } from "../subscriber.ts";

/**
 * What a bridge needs of the bus it reads from; every `EventBus` fits. The parameters are `never`, because a bridge
 * takes events as they travel, whatever types the bus knows.
 */
export interface BridgeSource {
  /** Called once, with `from.types`, a handler and the rest of `from`; its rejection is that of `createBridge`. */
  subscribe(pattern: never, handler: never, options?: never): Promise<Subscription>;
}

/** What a bridge needs of the bus it writes to; every `EventBus` fits. */
export interface BridgeTarget {
  /** Called per event, which is settled at the source once this resolved; retryable rejections are tried again. */
  forward(event: CloudEvent, options?: ForwardOptions): Promise<Receipt>;
}

/** Options of {@link createBridge}. */
export interface BridgeOptions {
  /** What to read: a pattern of types and how to subscribe to them. */
  readonly from: SubscribeOptions & { readonly bus: BridgeSource; readonly types: string };
  /** Where to write. `destination` may be worked out from the event. */
  readonly to: {
    readonly bus: BridgeTarget;
    readonly transport?: string;
    readonly destination?: string | ((event: CloudEvent) => string);
  };
  /** An event that crossed this many bridges is refused: bridges may form a loop. Default: 8. */
  readonly maxHops?: number;
  /** Pause before an event that the target did not take is sent again. Default: 1,000. */
  readonly retryDelayMs?: number;
  /** Default: the host's clock. */
  readonly clock?: Clock;
}

/** A running bridge. */
export interface Bridge extends Subscription {
  /** Events that the target confirmed. */
  readonly forwarded: number;
}

/** Counts the bridges that an event crossed. */
const hopsExtension = "waybillhops";
const defaultConcurrency = 256;

/**
 * Carries events from one transport to another, at least once: each is decoded, encoded for the target,
 * and settled at the source only after the target confirmed it. Identity, key and trace are kept; the
 * trace goes through the bridge. With `from.trust: "link"` the target sees a new trace, linked to the
 * sender's, and no baggage.
 *
 * A source that cannot redeliver (core NATS) is served as well as it can be: the bridge itself sends
 * again what the target refused for the moment; what the bridge holds when its process dies is lost.
 *
 * @throws EventError `hop-limit` goes to the source bus's `onError` for events that loop.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 * import { createBridge } from "waybill/patterns";
 *
 * const bus = createEventBus({
 *   source: "/bridge",
 *   transports: { edge: memoryTransport(), store: memoryTransport() },
 *   routes: [{ type: "**", to: "edge" }],
 * });
 * await using bridge = await createBridge({
 *   from: { bus, types: "order.placed", transport: "edge", group: "bridge" },
 *   to: { bus, transport: "store", destination: "orders" },
 * });
 * ```
 */
export async function createBridge(options: BridgeOptions): Promise<Bridge> {
  const { to, maxHops = 8, retryDelayMs = 1000, clock = systemClock } = options;
  const { bus, types, ...listening } = options.from;
  const trusted = (listening.trust ?? "continue") === "continue";
  let forwarded = 0;

  const subscribe = bus.subscribe as unknown as (
    pattern: string,
    handler: (event: CloudEvent, delivery: HandlerDelivery) => Promise<void>,
    options: SubscribeOptions,
  ) => Promise<Subscription>;
  const subscription = await subscribe(
    types,
    async (event, delivery) => {
      const hops = Number(event.extensions[hopsExtension] ?? 0) + 1;
      // No bridge counts below 0: a sender who does would let a loop go on.
      if (!(Number.isInteger(hops) && hops >= 1 && hops <= maxHops)) {
        throw new EventError("hop-limit", `event ${event.id} crossed ${hops - 1} bridges, ${maxHops} are allowed`);
      }
      const forward: ForwardOptions = {
        transport: to.transport,
        destination: typeof to.destination === "function" ? to.destination(event) : to.destination,
        extensions: { [hopsExtension]: hops, ...creationContext(event, delivery, trusted) },
        context: delivery.context,
        key: delivery.key,
        // An event may come back to where it was: a stream would take it for a repeat and drop it.
        copy: `bridge:${hops}`,
      };
      for (;;) {
        try {
          await to.bus.forward(event, forward);
          forwarded++;
          return;
        } catch (reason) {
          if (!EventError.from(reason).retryable || delivery.signal.aborted) throw reason;
          delivery.extend();
          await sleep(clock, retryDelayMs); // hundreds may wait: not one listener each on one signal
        }
      }
    },
    { concurrency: defaultConcurrency, ...listening, validate: false },
  );
  return Object.defineProperty(subscription as Bridge, "forwarded", { get: () => forwarded });
}

/**
 * The event keeps the context in which it was made: this hop's header will name the bridge. From a sender
 * that is not trusted it is not passed on; then the event begins its trace at the bridge.
 */
function creationContext(
  { extensions }: CloudEvent,
  { headers }: HandlerDelivery,
  trusted: boolean,
): ForwardOptions["extensions"] {
  if (!trusted) return { traceparent: undefined, tracestate: undefined };
  if (extensions.traceparent !== undefined) return {};
  // Read and written again: what is legal in a header may not be so in an extension.
  const sent = readTraceContext(ROOT_CONTEXT, { message: { headers } }, receivedGetter);
  const context: ForwardOptions["extensions"] & {} = {};
  writeTraceContext(trace.getSpanContext(sent), context, {
    set: (into, name, value) => Object.assign(into, { [name]: value }),
  });
  return context;
}
