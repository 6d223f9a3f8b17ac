import { type Clock, systemClock } from "../core/clock.ts";
import { EventError } from "../core/errors.ts";
import type { CloudEvent } from "../core/event.ts";
import type { HandlerDelivery } from "../core/options.ts";

/** What a handler got. */
export interface Recorded {
  /** The handler's own, not a copy. */
  readonly event: CloudEvent;
  /** As the handler got it, so that a test can look at `attempt` or `key`. */
  readonly delivery: HandlerDelivery;
}

/** Options of {@link recorder}. */
export interface RecorderOptions {
  /** How long `waitFor` waits, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number;
  /** Default: the host's. */
  readonly clock?: Clock;
}

/** A handler that keeps what it gets. */
export interface Recorder {
  /** Give this to `subscribe`. */
  readonly handler: (event: CloudEvent, delivery: HandlerDelivery) => void;
  /** Everything so far, in the order in which it came. */
  readonly received: readonly Recorded[];
  /** The data of everything so far. */
  readonly data: readonly unknown[];
  /** The ids of everything so far; one that came twice stands twice. */
  readonly ids: readonly string[];
  /**
   * Resolves when `count` events have come, or when `count`, a function, says that it is enough.
   *
   * @throws EventError `timeout`, which says how many have come.
   */
  waitFor(count: number | ((received: readonly Recorded[]) => boolean)): Promise<readonly Recorded[]>;
}

/**
 * Makes a handler for tests that keeps what it gets and can be waited for.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 * import { recorder } from "waybill/testing";
 *
 * const bus = createEventBus({ source: "/test", transports: { memory: memoryTransport() } });
 * const orders = recorder();
 * await bus.subscribe("order.placed", orders.handler);
 * await bus.publish("order.placed", { orderId: "o-1" });
 * await orders.waitFor(1);
 * console.log(orders.data); // [{ orderId: "o-1" }]
 * ```
 */
export function recorder(options: RecorderOptions = {}): Recorder {
  const { timeoutMs = 5_000, clock = systemClock } = options;
  const received: Recorded[] = [];
  const waiting = new Set<() => void>();
  return {
    received,
    get data() {
      return received.map(({ event }) => event.data);
    },
    get ids() {
      return received.map(({ event }) => event.id);
    },
    handler(event, delivery) {
      received.push({ event, delivery });
      for (const look of waiting) look();
    },
    waitFor(count) {
      const enough = typeof count === "function" ? count : () => received.length >= count;
      return new Promise((resolve, reject) => {
        const wanted = typeof count === "function" ? "what was waited for" : `${count} events`;
        const late = clock.after(timeoutMs, () => {
          waiting.delete(look);
          reject(new EventError("timeout", `recorder: not ${wanted} within ${timeoutMs} ms, but ${received.length}`));
        });
        const look = (): void => {
          try {
            if (!enough(received)) return;
            resolve(received);
          } catch (reason) {
            reject(reason);
          }
          waiting.delete(look);
          late.cancel();
        };
        waiting.add(look);
        look();
      });
    },
  };
}
