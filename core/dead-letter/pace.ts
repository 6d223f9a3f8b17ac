import type { Clock } from "../clock.ts";
import { sleep } from "../sleep.ts";

/** Lets so many through per second, evenly, whatever each of them takes. */
export interface Pace {
  /** Resolves when `count` more may go. What was late is not made up for by a burst of more than a tenth of a second. */
  next(count: number, signal?: AbortSignal): Promise<void>;
}

const burstMs = 100;

/** Makes a pace; without a rate nobody waits. */
export function createPace(clock: Clock, rate: number | undefined): Pace {
  let dueMs = clock.now();
  /** One waits at a time. */
  let turn: Promise<void> = Promise.resolve();

  async function wait(count: number, signal: AbortSignal | undefined): Promise<void> {
    const now = clock.now();
    dueMs = Math.max(dueMs, now - burstMs);
    const waitMs = dueMs - now;
    dueMs += (count * 1_000) / rate!;
    // Timers are no finer than a millisecond, and often coarser: what is due soon goes now, and the rest waits longer.
    if (waitMs >= 1) await sleep(clock, waitMs, signal);
  }

  return {
    next(count, signal) {
      if (rate === undefined) return turn;
      turn = turn.then(() => (signal?.aborted ? undefined : wait(count, signal)));
      return turn;
    },
  };
}
