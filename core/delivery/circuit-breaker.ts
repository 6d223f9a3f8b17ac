import type { Clock } from "../clock.ts";
import type { CircuitBreakerOptions } from "../options.ts";

/** `open` lets nothing through, `half-open` one trial at a time. */
export type CircuitState = "closed" | "open" | "half-open";

/**
 * Leaves out what keeps failing: opens after so many failures in a row, lets one trial through after a while, and
 * closes with the first success.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #failures: number;
  readonly #openMs: number;
  #inARow = 0;
  #openedMs: number | undefined;
  #trying = false;

  constructor(clock: Clock, { failures = 5, openMs = 5_000 }: CircuitBreakerOptions = {}) {
    this.#clock = clock;
    this.#failures = failures;
    this.#openMs = openMs;
  }

  get state(): CircuitState {
    if (this.#openedMs === undefined) return "closed";
    return this.#clock.now() - this.#openedMs >= this.#openMs ? "half-open" : "open";
  }

  /** Whether one more may go. Whoever was let through says how it ended: by one of the three below. */
  allows(): boolean {
    const { state } = this;
    if (state !== "half-open") return state === "closed";
    if (this.#trying) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#trying = false;
    this.#inARow = 0;
    this.#openedMs = undefined;
  }

  failed(): void {
    // What was on its way when the breaker opened does not prolong the time.
    if (this.state === "open") return;
    this.#trying = false;
    if (this.#openedMs === undefined && ++this.#inARow < this.#failures) return;
    this.#openedMs = this.#clock.now();
  }

  /** It ended in a way that tells nothing about what is behind the breaker. */
  released(): void {
    this.#trying = false;
  }
}
