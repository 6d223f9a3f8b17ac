import type { BatchDelivery, BatchEntry, BatchSubscribeOptions } from "./batch-options.ts";
import type { Catalog, DataInput, EventOf, PatternOf, ReplyInput, ReplyOutput, TypeName } from "./catalog.ts";
import { systemClock } from "./clock.ts";
import { cloudEventsBinary } from "./codec/cloudevents-binary.ts";
import { deadline, withinDeadline } from "./deadline.ts";
import { type Environment, environmentKey } from "./environment.ts";
import { EventError } from "./errors.ts";
import { type CloudEvent, checkText } from "./event.ts";
import { type BatchOptions, type EventBatch, openBatch } from "./event-batch.ts";
import { defaultIds } from "./id.ts";
import { defaultLimits } from "./limits.ts";
import { onDemand } from "./on-demand.ts";
import type {
  BusHealth,
  ErrorListener,
  EventBusOptions,
  ForwardOptions,
  HandlerDelivery,
  PublishFunction,
  PublishOptions,
  Receipt,
  StatusListener,
  SubscribeOptions,
  Transports,
  WaitOptions,
} from "./options.ts";
import { createOutbound } from "./outgoing.ts";
import { createPublisher } from "./publisher.ts";
import { sumReports } from "./report.ts";
import type { Rest } from "./rest.ts";
import { createRouter } from "./routing.ts";
import type { Subscription } from "./subscriber.ts";
import { keepContext } from "./telemetry/keep-context.ts";
import { createTracing } from "./telemetry/tracing.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";

/** One event of `publishAll`, typed by the catalog. */
export type TypedItem<C extends Catalog> = {
  [K in TypeName<C>]: PublishOptions & { readonly type: K; readonly data: DataInput<C, K> };
}[TypeName<C>];

/** Publishes and handles events over any number of transports. */
export interface EventBus<C extends Catalog = Catalog, T extends Transports = Transports> {
  /**
   * Publishes one event; resolves when the broker has stored it.
   *
   * @throws EventError whose `outcome` says whether the event may be stored, and `retrySafe` whether to send it again.
   */
  readonly publish: PublishFunction<C>;
  /**
   * Publishes without waiting and without a promise. False: refused by a full buffer. What fails later
   * goes to `onError`. Wrong input throws, and so does a schema that answers with a promise.
   */
  post<K extends TypeName<C>>(type: K, data: DataInput<C, K>, options?: PublishOptions): boolean;
  /** Publishes an event as it is: with its own id, source, time and extensions. For relays and bridges. */
  forward(event: CloudEvent, options?: ForwardOptions<keyof T & string>): Promise<Receipt>;
  /** Publishes many events together: for each a receipt or an error, in their order. */
  publishAll(items: readonly TypedItem<C>[], options?: WaitOptions): Promise<(Receipt | EventError)[]>;
  /**
   * Collects events and publishes them together. A bound that cannot be is told by `add`, with `invalid-option`: the
   * code of batches is loaded with the first event.
   */
  batch(options?: BatchOptions): EventBatch<C>;
  /**
   * Handles events by batches: the handler gets what was collected, and each event is settled on its own. When the
   * handler throws all of them have failed; `entry.delivery.fail` fails one.
   */
  subscribe<const P extends string>(
    pattern: PatternOf<C, P>,
    handler: (entries: readonly BatchEntry<C, P>[], batch: BatchDelivery) => unknown,
    options: BatchSubscribeOptions<keyof T & string>,
  ): Promise<Subscription>;
  /** Handles events whose type matches the pattern; resolves when the broker has the subscription. */
  subscribe<const P extends string, Tx = undefined>(
    pattern: PatternOf<C, P>,
    handler: (event: EventOf<C, P>, delivery: HandlerDelivery<C, Tx>) => unknown,
    options?: SubscribeOptions<keyof T & string, Tx>,
  ): Promise<Subscription>;
  /** Asks and waits for the answer, 5,000 ms unless told; rejects with `no-responders` at once when nobody listens. */
  request<K extends TypeName<C>>(
    type: K,
    data: DataInput<C, K>,
    options?: PublishOptions & WaitOptions,
  ): Promise<CloudEvent<string, ReplyOutput<C, K>>>;
  /** Answers requests: what the handler returns is the data of the reply. */
  respond<K extends TypeName<C>>(
    type: K,
    handler: (event: EventOf<C, K>, delivery: HandlerDelivery<C>) => ReplyInput<C, K> | Promise<ReplyInput<C, K>>,
    options?: SubscribeOptions<keyof T & string>,
  ): Promise<Subscription>;
  /** Resolves when everything published so far is confirmed. */
  flush(options?: WaitOptions): Promise<void>;
  /** Stops fetching, lets handlers finish, settles, flushes and closes, within the deadline (default 10,000 ms). */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** Errors that no promise carries. Returns a function that stops the listening. */
  onError(listener: ErrorListener): () => void;
  /** Changes of the transports. Returns a function that stops the listening. */
  onStatus(listener: StatusListener): () => void;
  /** What each transport knows of itself now, by its name. Asks no broker. */
  health(): BusHealth;
  /** As `close` with its default deadline: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes a bus over transports.
 *
 * @throws EventError `invalid-option` when `source` is empty or a route names no transport.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * await using bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * await bus.subscribe("order.*", (event) => console.log(event.type, event.data), { group: "billing" });
 * const receipt = await bus.publish("order.placed", { orderId: "o-1" });
 * console.log(receipt.id, receipt.offset);
 * ```
 */
export function createEventBus<const T extends Transports, C extends Catalog = Catalog>(
  options: EventBusOptions<C, T>,
): EventBus<C, T> {
  const { source, transports, events, routes = [], logger, clock = systemClock } = options;
  checkText("source", source, "invalid-option");
  const errorListeners = new Set<ErrorListener>();
  const statusListeners = new Set<StatusListener>();
  let closed = false;
  let closing: Promise<CloseReport> | undefined;

  const env: Environment = {
    source,
    clock,
    router: createRouter(events, transports, routes),
    codec: options.codec ?? cloudEventsBinary(),
    limits: { ...defaultLimits, ...options.limits },
    propagator: options.propagator,
    ids: options.ids ?? defaultIds,
    tracing: createTracing(options.tracerProvider),
    meterProvider: options.meterProvider,
    health,
    report(error, origin) {
      for (const listener of errorListeners) {
        try {
          listener(error, origin);
        } catch (cause) {
          logger?.error("onError: a listener threw", { cause });
        }
      }
      if (errorListeners.size === 0) logger?.error(error.message, { code: error.code, ...origin });
    },
    tell(status) {
      for (const listener of statusListeners) listener(status);
    },
    checkOpen(toListen) {
      if (closed || (toListen && closing)) throw new EventError("closed", "the bus is closed");
    },
  };
  const outbound = createOutbound(env);
  const rest = onDemand(() => import("./rest.ts").then(({ createRest }): Rest => createRest(env, outbound, publisher)));
  const publisher = createPublisher(env, outbound, rest);

  const later =
    (name: "subscribe" | "forward" | "request" | "respond") =>
    (...given: [never, never, never]): Promise<unknown> =>
      rest.load().then(keepContext((loaded): Promise<unknown> => loaded[name](...given)));

  const stopListening = Object.entries(transports).map(([transport, each]) =>
    each.onStatus((status) => {
      env.tell({ ...status, transport });
      if (status.error) env.report(status.error, { transport });
    }),
  );

  function health(): BusHealth {
    return Object.fromEntries(Object.entries(transports).map(([name, transport]) => [name, transport.health()]));
  }

  async function flush(wait: WaitOptions = {}): Promise<void> {
    const limit = deadline(clock, wait);
    try {
      await Promise.all(Object.values(transports).map((transport) => transport.flush?.(limit)));
    } catch (reason) {
      throw limit?.signal.aborted ? limit.signal.reason : reason;
    } finally {
      limit?.stop();
    }
  }

  async function shutDown({ deadlineMs = 10_000 }: CloseOptions): Promise<CloseReport> {
    const until = clock.now() + deadlineMs;
    const left = (): number => Math.max(0, until - clock.now());
    const early = await rest.pending()?.then(
      (loaded) => loaded.close({ deadlineMs }),
      () => undefined,
    );
    closed = true;
    await withinDeadline(
      clock,
      left(),
      flush().catch(() => undefined),
    ); // the transports report what is left
    const reports = await Promise.all(Object.values(transports).map((each) => each.close({ deadlineMs: left() })));
    for (const stop of stopListening) stop();
    return sumReports(early ? [early, ...reports] : reports);
  }

  const bus = {
    [environmentKey]: env,
    publish: publisher.publish,
    post: publisher.post,
    publishAll: publisher.publishAll,
    batch: (given: BatchOptions = {}) => openBatch(rest, given),
    subscribe: later("subscribe"),
    forward: later("forward"),
    request: later("request"),
    respond: later("respond"),
    flush,
    health,
    close(given: CloseOptions = {}) {
      closing ??= shutDown(given);
      return closing;
    },
    onError(listener: ErrorListener) {
      errorListeners.add(listener);
      return () => void errorListeners.delete(listener);
    },
    onStatus(listener: StatusListener) {
      statusListeners.add(listener);
      return () => void statusListeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      await bus.close();
    },
  };
  // The parts work on names and unknown data; the catalog's types hold at this border.
  return bus as unknown as EventBus<C, T>;
}
