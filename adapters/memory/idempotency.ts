import { type Clock, systemClock } from "../../core/clock.ts";
import { type ClaimRecord, createClaims } from "../../core/delivery/claims.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";
import { type Linked, LinkedList } from "../../core/linked-list.ts";

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
  const entries = new Map<string, Entry>();
  // By the time of their last change: with one lease for all, and one time to be kept, that is the order of their ends.
  const held = new LinkedList<Entry>();
  const done = new LinkedList<Entry>();
  let tokens = 0;

  const listOf = (record: ClaimRecord): LinkedList<Entry> => (record.done ? done : held);

  function forget(entry: Entry): void {
    listOf(entry).remove(entry);
    entries.delete(entry.key);
  }

  /** Makes room. While there is some, a claim whose lease is over stays: its owner may still commit it. */
  function shorten(): void {
    const now = clock.now();
    for (let { first } = held; first && isCrowded() && isOver(first, now); { first } = held) forget(first);
    for (let { first } = done; first && (isCrowded() || isOver(first, now)); { first } = done) forget(first);
  }

  const isCrowded = (): boolean => entries.size > maxKeys;
  const isOver = ({ untilMs }: Entry, now: number): boolean => untilMs <= now;

  return createClaims(
    (key, step) => {
      const entry = entries.get(key);
      const { answer, write } = step(entry);
      if (write === null) {
        if (entry) forget(entry);
      } else if (write && entry) {
        listOf(entry).remove(entry);
        entry.token = write.token;
        entry.untilMs = write.untilMs;
        entry.done = write.done;
        entry.result = write.result;
        listOf(entry).push(entry);
      } else if (write) {
        const { token, untilMs, done, result } = write;
        const added: Entry = { key, token, untilMs, done, result, previous: undefined, next: undefined };
        entries.set(key, added);
        listOf(added).push(added);
        shorten();
      }
      return answer;
    },
    clock,
    () => String(++tokens),
  );
}

/** What is kept of a key: one object for all of its time, since most of them grow old. */
interface Entry extends Linked<Entry> {
  readonly key: string;
  token: string;
  untilMs: number;
  done: true | undefined;
  result: string | undefined;
}
