import type { Clock, Timer } from "../clock.ts";
import { EventError } from "../errors.ts";

/** One attempt that runs under a limit. */
export interface LimitedRun {
  /** Aborts when the time is over, or with the lane. Made when it is asked for. */
  readonly signal: AbortSignal;
  /** Waits for `work`, no longer than the limit: rejects with `timeout`. What `work` does afterwards counts for nothing. */
  race<T>(work: PromiseLike<T>): Promise<T>;
  /** The attempt has ended. */
  end(): void;
}

/** Limits the time of attempts. */
export interface TimeLimit {
  start(lane: AbortSignal): LimitedRun;
}

interface Running {
  readonly untilMs: number;
  over(): void;
}

/** Makes a limit that all attempts of a subscription share: one timer for all of them, not one each. */
export function createTimeLimit(clock: Clock, limitMs: number): TimeLimit {
  /** In the order of their ends, since every limit is the same. */
  const running = new Set<Running>();
  let timer: Timer | undefined;

  function watch(): void {
    const next = running.values().next().value;
    if (timer || !next) return;
    timer = clock.after(Math.max(0, next.untilMs - clock.now()), () => {
      timer = undefined;
      const now = clock.now();
      for (const each of running) {
        if (each.untilMs > now) break;
        running.delete(each);
        each.over();
      }
      watch();
    });
  }

  return {
    start(lane) {
      let controller: AbortController | undefined;
      let late: EventError | undefined;
      let reject: (error: EventError) => void = () => undefined;
      const onLane = (): void => controller?.abort(lane.reason);
      const entry: Running = {
        untilMs: clock.now() + limitMs,
        over() {
          late = new EventError("timeout", `the handler took longer than ${limitMs} ms`, { retryable: true });
          controller?.abort(late);
          reject(late);
        },
      };
      running.add(entry);
      watch();
      return {
        get signal() {
          if (controller) return controller.signal;
          controller = new AbortController();
          if (lane.aborted || late) controller.abort(late ?? lane.reason);
          else lane.addEventListener("abort", onLane, { once: true });
          return controller.signal;
        },
        race: (work) =>
          new Promise((resolve, refuse) => {
            reject = refuse;
            work.then(resolve, refuse);
          }),
        end() {
          running.delete(entry);
          if (running.size === 0) {
            timer?.cancel();
            timer = undefined;
          }
          if (controller) lane.removeEventListener("abort", onLane);
        },
      };
    },
  };
}
