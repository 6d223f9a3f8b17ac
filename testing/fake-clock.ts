import type { Clock, Timer } from "../core/clock.ts";

/** A clock that stands until it is told to go on. */
export interface FakeClock extends Clock {
  /** Goes on by `ms`, fires what is due in order, and lets promises settle after each timer. */
  advance(ms: number): Promise<void>;
  /** Timers that wait: an idle component holds none. */
  readonly pending: number;
}

/**
 * A clock for tests: time passes only by `advance`.
 *
 * @example
 * ```ts
 * import { memoryTransport } from "waybill/memory";
 * import { fakeClock } from "waybill/testing";
 *
 * const clock = fakeClock();
 * const transport = memoryTransport({ clock });
 * await clock.advance(60_000);
 * ```
 */
export function fakeClock(startMs = 1_767_225_600_000): FakeClock {
  let now = startMs;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => now,
    after(delayMs, run): Timer {
      const timer = { atMs: now + Math.max(0, delayMs), run };
      timers.push(timer);
      return {
        cancel() {
          timers = timers.filter((each) => each !== timer);
        },
      };
    },
    get pending() {
      return timers.length;
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        // Of timers due at the same time the one set first fires first.
        const next = timers.reduce<(typeof timers)[0] | undefined>(
          (first, each) => (each.atMs <= until && (!first || each.atMs < first.atMs) ? each : first),
          undefined,
        );
        if (!next) break;
        timers = timers.filter((each) => each !== next);
        now = Math.max(now, next.atMs);
        next.run();
        await settle();
      }
      now = until;
    },
  };
}

/** Lets everything that waits for promises alone run to its end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await undefined;
}
