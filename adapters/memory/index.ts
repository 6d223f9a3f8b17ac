/**
 * A transport in the memory of one process: the reference of the port, and the broker of tests and demos.
 *
 * @module
 */
import { type Clock, systemClock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { IncomingMessage, OutgoingMessage } from "../../core/message.ts";
import type { Capabilities, PublishOutcome, Transport, TransportSubscription } from "../../core/transport.ts";
import { Consumers } from "./consumers.ts";
import { Log } from "./log.ts";
import { provide } from "./provide.ts";
import { replay } from "./replay.ts";
import { States } from "./state.ts";
import { inboxPrefix } from "./wildcards.ts";

export { type MemoryIdempotencyOptions, memoryIdempotency } from "./idempotency.ts";

/** Options of {@link memoryTransport}. */
export interface MemoryTransportOptions {
  /** Default: `memory`. */
  readonly name?: string;
  /** Partitions of each destination: what members of a group share. Default: 4. */
  readonly partitions?: number;
  /** Messages kept per partition. More are refused while a group has not settled the oldest. Default: 65,536. */
  readonly maxMessages?: number;
  /** Default: 1 MiB. */
  readonly maxMessageBytes?: number;
  /** How long a dedup id is remembered. Default: 120,000. */
  readonly dedupWindowMs?: number;
  /** Default: the host's clock. */
  readonly clock?: Clock;
}

/**
 * Keeps messages in partitions, like a log: groups share partitions and settle them in any order, a key
 * stays in its partition, consumers may start in the past, and failed deliveries come again. What is kept
 * is lost with the process.
 *
 * The dead letters of `order.placed` go to `order.placed.dlq`; those of a subscription to `order.>` are read by
 * `order.>.dlq`. A partition of dead letters that is full refuses more and forgets none.
 *
 * @throws EventError `invalid-option` when `partitions` or `maxMessages` is not a whole number from 1.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ partitions: 2 }) } });
 * await bus.publish("order.placed", { orderId: "o-1" }, { key: "o-1" });
 * await bus.close();
 * ```
 */
export function memoryTransport(options: MemoryTransportOptions = {}): Transport {
  const { name = "memory", clock = systemClock, partitions = 4, maxMessages = 65_536 } = options;
  const { maxMessageBytes = 1_048_576, dedupWindowMs = 120_000 } = options;
  for (const [option, value] of Object.entries({ partitions, maxMessages })) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new EventError("invalid-option", `memory: ${option} must be a whole number from 1, not ${value}`);
  }
  const log = new Log({ clock, partitions, maxMessages, maxMessageBytes, dedupWindowMs });
  const consumers = new Consumers(log, clock);
  const subscriptions = new Set<TransportSubscription>();
  /** Fails the requests that wait. */
  const waiting = new Set<(error: EventError) => void>();
  const states = new States(clock, checkOpen);
  let inboxes = 0;
  let closed = false;

  function append(message: OutgoingMessage, replyTo?: string): PublishOutcome {
    if (closed) return { stored: false, outcome: "failed", retrySafe: true, error: closedError() };
    // Nobody waits for the reply any more.
    if (message.destination.startsWith(inboxPrefix) && !log.has(message.destination)) return { stored: true, at: {} };
    consumers.ensure(message.destination);
    return log.append(message, replyTo, consumers);
  }

  const transport: Transport = {
    name,
    capabilities: { ...capabilities, maxMessageBytes },
    publish(messages, { signal } = {}) {
      if (!signal?.aborted) return Promise.resolve(messages.map((message) => append(message)));
      const error = EventError.from(signal.reason, "aborted");
      return Promise.resolve(messages.map(() => ({ stored: false, outcome: "failed", retrySafe: true, error })));
    },
    post(message) {
      const outcome = append(message);
      if (!outcome.stored && outcome.error.code !== "buffer-full") throw outcome.error;
      return outcome.stored;
    },

    async consume(source, sink) {
      checkOpen();
      const inner = await consumers.consume(source, sink);
      const subscription: TransportSubscription = {
        ...inner,
        close(given) {
          subscriptions.delete(subscription);
          return inner.close(given);
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },

    async request(message, { timeoutMs, signal }) {
      checkOpen();
      if (!consumers.listens(message.destination)) {
        const text = `memory: nobody answers on "${message.destination}"`;
        throw new EventError("no-responders", text, { retryable: true });
      }
      const inbox = `${inboxPrefix}${inboxes++}`;
      let answered: (reply: IncomingMessage) => void = () => undefined;
      let failed: (error: unknown) => void = () => undefined;
      const reply = new Promise<IncomingMessage>((resolve, reject) => {
        answered = resolve;
        failed = reject;
      });
      const listening = await consumers.consume(
        { destinations: [inbox], from: "earliest" },
        { deliver: (delivery) => answered(delivery.message), revoke: async () => undefined, failed },
      );
      const abort = (): void => failed(EventError.from(signal?.reason, "aborted"));
      const late = new EventError("timeout", `memory: no answer within ${timeoutMs} ms`, { retryable: true });
      const timer = clock.after(timeoutMs, () => failed(late));
      signal?.addEventListener("abort", abort, { once: true });
      waiting.add(failed);
      try {
        if (signal?.aborted) throw EventError.from(signal.reason, "aborted");
        listening.credit(1);
        const outcome = append(message, inbox);
        if (!outcome.stored) throw outcome.error;
        return await reply;
      } finally {
        timer.cancel();
        waiting.delete(failed);
        signal?.removeEventListener("abort", abort);
        await listening.close();
        log.remove(inbox);
      }
    },

    async *read(options) {
      checkOpen();
      yield* replay(log, options);
    },

    async ensure(spec) {
      checkOpen();
      return provide(log, consumers, spec);
    },
    openState: async (store, given) => states.open(store, given),

    health: () => ({ state: closed ? "closed" : "connected", buffered: 0, bufferedBytes: 0 }),
    onStatus: () => () => undefined,
    async close() {
      closed = true;
      for (const fail of waiting) fail(closedError());
      let unsettled = 0;
      for (const subscription of [...subscriptions]) unsettled += (await subscription.close()).unsettled;
      return { unsent: 0, unsettled };
    },
  };
  return transport;

  function checkOpen(): void {
    if (closed) throw closedError();
  }

  function closedError(): EventError {
    return new EventError("closed", `transport "${name}" is closed`);
  }
}

const capabilities: Capabilities = {
  system: "memory",
  binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
  redelivery: true,
  delayedRedelivery: true,
  keyOrder: true,
  groups: true,
  replay: true,
  request: true,
  deduplication: true,
  wildcards: true,
  maxMessageBytes: 1_048_576,
};
