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
  /** The subscription closes: attempts that run keep their limit, and no timer is left behind the last of them. */
  stop(): void;
}

class Run implements LimitedRun {
  readonly untilMs: number;
  readonly #limitMs: number;
  readonly #lane: AbortSignal;
  readonly #ended: (run: Run) => void;
  #controller: AbortController | undefined;
  #late: EventError | undefined;
  #reject: ((error: EventError) => void) | undefined;

  constructor(ended: (run: Run) => void, lane: AbortSignal, untilMs: number, limitMs: number) {
    this.#ended = ended;
    this.#lane = lane;
    this.untilMs = untilMs;
    this.#limitMs = limitMs;
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    const lane = this.#lane;
    const controller = new AbortController();
    this.#controller = controller;
    if (lane.aborted || this.#late) controller.abort(this.#late ?? lane.reason);
    else lane.addEventListener("abort", this.#onLane, { once: true });
    return controller.signal;
  }

  race<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      work.then(resolve, reject);
    });
  }

  end(): void {
    this.#ended(this);
    if (this.#controller) this.#lane.removeEventListener("abort", this.#onLane);
  }

  over(): void {
    const late = new EventError("timeout", `the handler took longer than ${this.#limitMs} ms`, { retryable: true });
    this.#late = late;
    this.#controller?.abort(late);
    this.#reject?.(late);
  }

  readonly #onLane: () => void = (): void => this.#controller?.abort(this.#lane.reason);
}

/** Makes a limit that all attempts of a subscription share: one timer for all of them, not one each. */
export function createTimeLimit(clock: Clock, limitMs: number): TimeLimit {
  /** In the order of their ends, since every limit is the same. */
  const running = new Set<Run>();
  let timer: Timer | undefined;
  let stopped = false;

  function ended(run: Run): void {
    running.delete(run);
    if (stopped) rest();
  }

  function rest(): void {
    if (running.size > 0) return;
    timer?.cancel();
    timer = undefined;
  }

  function look(): void {
    timer = undefined;
    const now = clock.now();
    for (const run of running) {
      if (run.untilMs > now) break;
      running.delete(run);
      run.over();
    }
    watch(now);
  }

  /** What ends in time leaves its timer to the next: setting one for each would cost more than all the rest. */
  function watch(now: number): void {
    const next = running.values().next().value;
    if (next) timer ??= clock.after(Math.max(0, next.untilMs - now), look);
  }

  return {
    start(lane) {
      const now = clock.now();
      const run = new Run(ended, lane, now + limitMs, limitMs);
      running.add(run);
      if (!timer) watch(now);
      return run;
    },
    stop() {
      stopped = true;
      rest();
    },
  };
}
