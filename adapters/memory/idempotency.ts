import { type Clock, systemClock } from "../../core/clock.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";
import { type Linked, LinkedList } from "../../core/linked-list.ts";
import { DoneKeys } from "./done-keys.ts";

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
  // The claim of what is held, the number of what is done.
  const entries = new Map<string, Held | number>();
  // Each by the time of its last change: with one lease for all, and one time to be kept, that is the order of their ends.
  const held = new LinkedList<Held>();
  const done = new DoneKeys();
  let claims = 0;

  function hold(key: string, number: number, untilMs: number): void {
    const claim: Held = { key, number, untilMs, previous: undefined, next: undefined };
    entries.set(key, claim);
    held.push(claim);
  }

  function forget(key: string, entry: Held | number): void {
    entries.delete(key);
    if (typeof entry === "number") done.forget(entry);
    else held.remove(entry);
  }

  /** Makes room. While there is some, a claim whose lease is over stays: its owner may still commit it. */
  function shorten(now: number): void {
    for (let { first } = held; first && isCrowded() && first.untilMs <= now; { first } = held) forget(first.key, first);
    for (let key = oldest(now); key !== undefined; key = oldest(now)) forget(key, entries.get(key)!);
  }

  const isCrowded = (): boolean => entries.size > maxKeys;
  const oldest = (now: number): string | undefined => done.oldest(isCrowded() ? Number.POSITIVE_INFINITY : now);

  // The rules of core/delivery/claims.ts, without a promise, a closure and a record for each call.
  return {
    claim(key, { leaseMs }) {
      const now = clock.now();
      const entry = entries.get(key);
      if (typeof entry === "number") {
        const { untilMs, result } = done.of(entry);
        if (untilMs > now) return { state: "done", result };
      } else if (entry && entry.untilMs > now) return { state: "held", retryAfterMs: entry.untilMs - now };
      if (entry !== undefined) forget(key, entry);
      hold(key, ++claims, now + leaseMs);
      shorten(now);
      return { state: "claimed", token: String(claims) };
    },
    renew(key, token, { leaseMs }) {
      const entry = entries.get(key);
      if (typeof entry === "number") return String(done.of(entry).claim) === token;
      if (!isOwn(entry, token)) return false;
      held.remove(entry);
      hold(key, entry.number, clock.now() + leaseMs);
      return true;
    },
    commit(key, token, { keepMs, result }) {
      const entry = entries.get(key);
      // Done by an earlier call.
      if (typeof entry === "number") return String(done.of(entry).claim) === token;
      // Also when its lease is over: nobody else has taken the key.
      if (!isOwn(entry, token)) return false;
      held.remove(entry);
      entries.set(key, done.add(key, entry.number, clock.now() + keepMs, result));
      return true;
    },
    release(key, token) {
      const entry = entries.get(key);
      if (typeof entry === "object" && isOwn(entry, token)) forget(key, entry);
    },
  };
}

/** A claim that was neither committed nor released. */
interface Held extends Linked<Held> {
  readonly key: string;
  /** Its token is this as text. */
  readonly number: number;
  readonly untilMs: number;
}

function isOwn(claim: Held | undefined, token: string): claim is Held {
  return claim !== undefined && String(claim.number) === token;
}
