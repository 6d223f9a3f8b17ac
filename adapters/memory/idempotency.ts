import { type Clock, systemClock } from "../../core/clock.ts";
import { type ClaimRecord, createClaims } from "../../core/delivery/claims.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";

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
  const records = new Map<string, ClaimRecord>();
  // By age, the oldest first. A map forgets nothing of what was removed at its beginning until it is half empty, so that
  // looking for its first entry would cost as much as it has.
  let held = new Fifo<Aged>();
  const done = new Fifo<Aged>();
  let tokens = 0;

  /** Removes the oldest as long as that is due. What was written anew since has a place of its own. */
  function shorten(ages: Fifo<Aged>, isDue: (untilMs: number, crowded: boolean) => boolean): void {
    for (let oldest = ages.peek(); oldest; oldest = ages.peek()) {
      const { key, record } = oldest;
      if (records.get(key) === record) {
        if (!isDue(record.untilMs, records.size > maxKeys)) return;
        records.delete(key);
      }
      ages.shift();
    }
  }

  return createClaims(
    (key, step) => {
      const { answer, write } = step(records.get(key));
      if (write === undefined) return answer;
      if (write) {
        records.set(key, write);
        (write.done ? done : held).push({ key, record: write });
      } else records.delete(key);
      const now = clock.now();
      // While there is room a claim whose lease is over stays: its owner may still commit it.
      shorten(held, (untilMs, crowded) => crowded && untilMs <= now);
      shorten(done, (untilMs, crowded) => crowded || untilMs <= now);
      // Behind a claim that is held for long lie those that were done with meanwhile.
      if (held.length > 2 * records.size + 1_024) {
        const live = [...held].filter(({ key: name, record }) => records.get(name) === record);
        held = new Fifo();
        for (const each of live) held.push(each);
      }
      return answer;
    },
    clock,
    () => String(++tokens),
  );
}

/** A record at the time when it was written. */
interface Aged {
  readonly key: string;
  readonly record: ClaimRecord;
}
