import { EventError } from "../errors.ts";
import type { Backoff } from "./backoff.ts";

/** What is tried again, how often and when: of a handler or of a publish. */
export interface RetryOptions {
  /**
   * How often it is tried at most, the first time included. Default: 5 where dead letters take what is left or nothing
   * is lost by giving up; without end where giving up would lose an event that the broker could deliver again.
   */
  readonly attempts?: number;
  /**
   * Waits between attempts. Default: `exponentialBackoff()`: 1 s at most, then 2 s, 4 s and so on up to 60 s. Where a
   * handler's backoff throws or answers no time, that is reported and the wait is 5 s; a publish gives up with the failure
   * that it had. No wait is longer than 2,147,483,647 ms.
   */
  readonly backoff?: Backoff;
  /** Gives up when the next attempt would begin later than so many milliseconds after the first failure. Default: never. */
  readonly maxElapsedMs?: number;
  /**
   * How long one attempt may take, in milliseconds; then it counts as failed with `timeout`, and the signal that it was
   * given aborts. Default: as long as it takes.
   */
  readonly timeoutMs?: number;
  /**
   * Whether a failure is worth another attempt. Default: what `error.retryable` says. Of a handler, one that throws is
   * reported, and the event is tried again while it has attempts; a publish gives up with the failure that it had.
   */
  readonly classify?: (error: EventError) => "retry" | "give-up";
  /**
   * Where failed events are tried again in place and hold up what lies behind them (Kafka): no wait is longer, in
   * milliseconds. Default: 60,000.
   */
  readonly maxInPlaceMs?: number;
  /**
   * `topic`: an event whose wait is longer than `maxInPlaceMs` moves to `<destination>.retry` and gives up its place in
   * the order of its key. Default: waits are cut to `maxInPlaceMs`.
   */
  readonly escalate?: "topic";
}

/** What is known of the failures of one event so far. */
export interface Failures {
  /** How often it failed. */
  readonly count: number;
  /** When it failed first, in unix milliseconds. */
  readonly firstMs: number;
}

/** What to do after a failure. */
export type Decision =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "give-up"; readonly because: "attempts-exhausted" | "not-retryable" };

/** {@link RetryOptions} with every default. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly timeoutMs: number | undefined;
  readonly maxInPlaceMs: number;
  readonly escalate: boolean;
  /** `failures` includes the one at hand. Throws what the user's functions throw, and `invalid-option` for no time. */
  decide(failures: Failures, error: EventError, nowMs: number): Decision;
}

/** Longest wait that hosts' timers can keep, in milliseconds: what is longer fires at once. */
export const longestWaitMs = 2_147_483_647;

/** As `exponentialBackoff()`. Not imported: a page that imports the root would get it with what is loaded at once. */
const usualBackoff: Backoff = (failures) => Math.round(Math.random() * Math.min(60_000, 1_000 * 2 ** (failures - 1)));

/**
 * Fills in the defaults. `attempts` is the default for how often.
 *
 * @throws EventError `invalid-option`, naming the option and its bound.
 */
export function createRetryPolicy(options: RetryOptions, defaultAttempts: number): RetryPolicy {
  const { attempts = defaultAttempts, backoff = usualBackoff, maxElapsedMs, timeoutMs, classify } = options;
  const { maxInPlaceMs = 60_000, escalate } = options;
  if (attempts !== Number.POSITIVE_INFINITY && !(Number.isInteger(attempts) && attempts >= 1)) {
    throw refused("attempts must be a whole number from 1, or Infinity", attempts);
  }
  if (maxElapsedMs !== undefined && !(maxElapsedMs >= 0))
    throw refused("maxElapsedMs must be at least 0", maxElapsedMs);
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= longestWaitMs)) {
    throw refused(`timeoutMs must be above 0 and at most ${longestWaitMs}`, timeoutMs);
  }
  if (!(maxInPlaceMs >= 0)) throw refused("maxInPlaceMs must be at least 0", maxInPlaceMs);
  if (escalate !== undefined && escalate !== "topic") throw refused('escalate must be "topic"', escalate);
  return {
    attempts,
    timeoutMs,
    maxInPlaceMs,
    escalate: escalate === "topic",
    decide({ count, firstMs }, error, nowMs) {
      const again = classify ? classify(error) === "retry" : error.retryable;
      if (!again) return { kind: "give-up", because: "not-retryable" };
      if (count >= attempts) return { kind: "give-up", because: "attempts-exhausted" };
      // A longer wait would be none at all.
      const delayMs = Math.min(longestWaitMs, backoff(count));
      if (!(delayMs >= 0)) throw refused("backoff: at least 0 ms", delayMs);
      if (maxElapsedMs !== undefined && nowMs + delayMs - firstMs > maxElapsedMs) {
        return { kind: "give-up", because: "attempts-exhausted" };
      }
      return { kind: "retry", delayMs };
    },
  };
}

function refused(rule: string, given: unknown): EventError {
  return new EventError("invalid-option", `retry.${rule}, not ${String(given)}`);
}
