import type { Clock, Timer } from "../clock.ts";
import type { CircuitBreakerOptions } from "../options.ts";
import { CircuitBreaker, type CircuitState } from "./circuit-breaker.ts";
import type { Scheduler } from "./scheduler.ts";

/** Keeps events from handlers that fail one after the other, whatever event they get. */
export interface HandlerBreaker {
  readonly state: CircuitState;
  succeeded(): void;
  /**
   * Answers whether the failure is put down to what the handler depends on, which is away: then it is no attempt at
   * this event.
   */
  failed(): boolean;
  /** The attempt told nothing about what the handler depends on: where one was to decide, another does. */
  inconclusive(): void;
  /** How long the event waits that was not to blame, in milliseconds. */
  readonly openMs: number;
  /** The subscription closes: from now on it opens no more, and leaves no timer behind. */
  stop(): void;
}

/**
 * Makes the breaker of a subscription. While it is open nothing is started, and nothing is fetched beyond what waits;
 * then one event tries, and whether it succeeds decides for all.
 */
export function createHandlerBreaker(
  clock: Clock,
  options: CircuitBreakerOptions,
  scheduler: () => Pick<Scheduler, "hold" | "probe" | "unhold">,
  changed: (state: CircuitState) => void,
): HandlerBreaker {
  const breaker = new CircuitBreaker(clock, options);
  const { openMs = 5_000 } = options;
  let told: CircuitState = "closed";
  let timer: Timer | undefined;
  let stopped = false;

  function tell(state: CircuitState): void {
    if (state === told) return;
    told = state;
    changed(state);
  }

  function open(): void {
    scheduler().hold();
    timer?.cancel();
    timer = clock.after(openMs, () => {
      if (!breaker.allows()) return;
      try {
        tell("half-open");
      } finally {
        scheduler().probe();
      }
    });
    // Last: who is told may throw.
    tell("open");
  }

  return {
    get state() {
      return told;
    },
    openMs,
    succeeded() {
      // A success of what began before the breaker opened says nothing about now.
      if (told === "open") return;
      breaker.succeeded();
      if (told === "closed") return;
      try {
        tell("closed");
      } finally {
        scheduler().unhold();
      }
    },
    failed() {
      if (told === "open") return true;
      // What closes finishes what it has: held up for what is away, it would be dropped.
      if (stopped) return false;
      breaker.failed();
      if (breaker.state !== "open") return false;
      open();
      return true;
    },
    inconclusive() {
      if (told === "half-open") scheduler().probe();
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
