import { EventError } from "../errors.ts";

/** How long to wait after the `failures`-th failure, from 1, in milliseconds. */
export type Backoff = (failures: number) => number;

/** Options of {@link exponentialBackoff}. */
export interface ExponentialBackoffOptions {
  /** After the first failure, in milliseconds. Default: 1,000. */
  readonly initialMs?: number;
  /** Never longer than this, in milliseconds. Default: 60,000. */
  readonly maxMs?: number;
  /** How much longer each wait is than the one before, from 1. Default: 2. */
  readonly factor?: number;
  /**
   * `full`: a random time between 0 and the wait, so that what failed together does not come again together. `none`:
   * the wait itself. Default: `full`.
   */
  readonly jitter?: "full" | "none";
  /** A number from 0 to 1, 1 excluded. Default: `Math.random`. */
  readonly random?: () => number;
}

/** Longest wait that hosts' timers can keep. */
const longestMs = 2_147_483_647;

/**
 * Waits that grow by a factor up to a bound, with full jitter.
 *
 * @throws EventError `invalid-option` for a wait below 0 or beyond 2,147,483,647 ms, and for a factor below 1.
 *
 * @example
 * ```ts
 * import { createEventBus, exponentialBackoff } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * await bus.subscribe("order.placed", (event) => console.log(event.id), {
 *   group: "billing",
 *   retry: { attempts: 8, backoff: exponentialBackoff({ initialMs: 200, maxMs: 30_000 }) },
 * });
 * ```
 */
export function exponentialBackoff(options: ExponentialBackoffOptions = {}): Backoff {
  const { initialMs = 1_000, maxMs = 60_000, factor = 2, jitter = "full", random = Math.random } = options;
  checkWait("initialMs", initialMs);
  checkWait("maxMs", maxMs);
  if (!(factor >= 1)) throw new EventError("invalid-option", `backoff: factor must be at least 1, not ${factor}`);
  return (failures) => {
    // A power may become infinite, and nothing times infinity is no number.
    const waitMs = Math.min(maxMs, initialMs * Math.min(factor ** (failures - 1), Number.MAX_VALUE));
    return Math.round(jitter === "full" ? waitMs * random() : waitMs);
  };
}

/**
 * Waits that grow by the same step: `stepMs`, 2 × `stepMs` and so on, up to `maxMs` (default: 60,000). With a step of
 * 1,000 ms these are the waits of the guide's `RetryablePublisher`.
 *
 * @throws EventError `invalid-option` for a wait below 0 or beyond 2,147,483,647 ms.
 */
export function linearBackoff(stepMs: number, { maxMs = 60_000 }: { readonly maxMs?: number } = {}): Backoff {
  checkWait("stepMs", stepMs);
  checkWait("maxMs", maxMs);
  return (failures) => Math.min(maxMs, stepMs * failures);
}

/**
 * The same wait each time.
 *
 * @throws EventError `invalid-option` for a wait below 0 or beyond 2,147,483,647 ms.
 */
export function fixedBackoff(waitMs: number): Backoff {
  checkWait("waitMs", waitMs);
  return () => waitMs;
}

function checkWait(name: string, waitMs: number): void {
  if (waitMs >= 0 && waitMs <= longestMs) return;
  throw new EventError("invalid-option", `backoff: ${name} must be from 0 to ${longestMs} ms, not ${waitMs}`);
}
