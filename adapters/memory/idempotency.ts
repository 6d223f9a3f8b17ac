import { type Clock, systemClock } from "../../core/clock.ts";
import { type ClaimRecord, createClaims } from "../../core/delivery/claims.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";

/** Options of {@link memoryIdempotency}. */
export interface MemoryIdempotencyOptions {
  /** Default: the host's clock. */
  readonly clock?: Clock;
  /**
   * How many keys are remembered. Beyond it those that were done first are forgotten before their time; a claim that
   * holds never is. Default: 100,000.
   */
  readonly maxKeys?: number;
}

/**
 * Claims in the memory of one process, for tests and for what has one process: it is all forgotten with it.
 *
 * @throws EventError `invalid-option` when `maxKeys` is not a whole number from 1.
 *
 * @example
 * ```ts
 * import { memoryIdempotency } from "waybill/memory";
 *
 * const store = memoryIdempotency();
 * const claim = await store.claim("order o-1", { leaseMs: 30_000 });
 * if (claim.state === "claimed") await store.commit("order o-1", claim.token, { keepMs: 86_400_000 });
 * ```
 */
export function memoryIdempotency(options: MemoryIdempotencyOptions = {}): IdempotencyStore {
  const { clock = systemClock, maxKeys = 100_000 } = options;
  if (!(Number.isInteger(maxKeys) && maxKeys >= 1)) {
    throw new EventError("invalid-option", `memory: maxKeys must be a whole number from 1, not ${maxKeys}`);
  }
  /** Both: who was written longest ago first. */
  const held = new Map<string, ClaimRecord>();
  const done = new Map<string, ClaimRecord>();
  let tokens = 0;

  function forget(): void {
    const now = clock.now();
    const crowded = (): boolean => held.size + done.size > maxKeys;
    // While there is room a claim whose lease is over stays: its owner may still commit it.
    for (const [key, { untilMs }] of held) {
      if (untilMs > now || !crowded()) break;
      held.delete(key);
    }
    for (const [key, { untilMs }] of done) {
      if (untilMs > now && !crowded()) break;
      done.delete(key);
    }
  }

  return createClaims(
    (key, step) => {
      const before = held.get(key);
      const { answer, write } = step(before ?? done.get(key));
      if (write === undefined) return answer;
      if (before) held.delete(key);
      else done.delete(key);
      if (write) (write.done ? done : held).set(key, write);
      forget();
      return answer;
    },
    clock,
    () => String(++tokens),
  );
}
