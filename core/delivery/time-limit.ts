import type { Clock } from "../clock.ts";
import { EventError } from "../errors.ts";
import type { Linked } from "../linked-list.ts";
import { createRunning } from "./running.ts";

/** One attempt that runs under a limit. */
export interface LimitedRun {
  /** Aborts when the time is over, or with the lane. Made when it is asked for. */
  readonly signal: AbortSignal;
  /** The time is over. */
  readonly isLate: boolean;
  /** Calls `failed` with `timeout` when the time is over before `work`. The first call counts, and another may follow. */
  watch<T>(work: PromiseLike<T>, done: (value: T) => void, failed: (reason: unknown) => void): void;
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

class Run implements LimitedRun, Linked<Run> {
  previous: Run | undefined;
  next: Run | undefined;
  readonly untilMs: number;
  readonly #limitMs: number;
  readonly #lane: AbortSignal;
  readonly #ended: (run: Run) => void;
  #controller: AbortController | undefined;
  #onLane: (() => void) | undefined;
  #late: EventError | undefined;
  #failed: ((reason: unknown) => void) | undefined;

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
    this.#onLane = () => controller.abort(lane.reason);
    if (lane.aborted || this.#late) controller.abort(this.#late ?? lane.reason);
    else lane.addEventListener("abort", this.#onLane, { once: true });
    return controller.signal;
  }

  get isLate(): boolean {
    return this.#late !== undefined;
  }

  watch<T>(work: PromiseLike<T>, done: (value: T) => void, failed: (reason: unknown) => void): void {
    this.#failed = failed;
    work.then(done, failed);
  }

  race<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => this.watch(work, resolve, reject));
  }

  end(): void {
    this.#ended(this);
    if (this.#onLane) this.#lane.removeEventListener("abort", this.#onLane);
  }

  over(): void {
    const late = new EventError("timeout", `the handler took longer than ${this.#limitMs} ms`, { retryable: true });
    this.#late = late;
    this.#controller?.abort(late);
    this.#failed?.(late);
  }
}

/** Makes a limit that all attempts of a subscription share. */
export function createTimeLimit(clock: Clock, limitMs: number): TimeLimit {
  // In the order of their ends, since every limit is the same.
  const running = createRunning<Run>({
    clock,
    waitMs: ({ untilMs }) => Math.max(0, untilMs - clock.now()),
    look(runs) {
      const now = clock.now();
      for (let run = runs.first; run && run.untilMs <= now; run = runs.first) {
        runs.remove(run);
        run.over();
      }
    },
  });
  return {
    start(lane) {
      const run = new Run(running.end, lane, clock.now() + limitMs, limitMs);
      running.start(run);
      return run;
    },
    stop: running.stop,
  };
}
