import type { Clock } from "../clock.ts";
import { defaultIds } from "../id.ts";
import type { Claim, IdempotencyStore } from "./idempotency.ts";

/** What a store of claims keeps for a key. */
export interface ClaimRecord {
  /** Of who claimed it last. */
  readonly token: string;
  /** Of a claim the end of its lease, of a done key until when it is remembered, in unix milliseconds. */
  readonly untilMs: number;
  readonly done?: true | undefined;
  readonly result?: string | undefined;
}

/** What to do with a key's record: nothing, unless `write` is there. */
export interface ClaimStep<T> {
  readonly answer: T;
  /** null: removes the record. */
  readonly write?: ClaimRecord | null;
}

/**
 * Looks at the key's record and writes what `step` says, as one change: no other change of the key comes between. `step`
 * may be asked again with a newer record.
 */
export type ChangeClaim = <T>(key: string, step: (record: ClaimRecord | undefined) => ClaimStep<T>) => Promise<T>;

/** The rules of claims, which are the same wherever the records are kept. A claim's token is nobody else's. */
export function createClaims(change: ChangeClaim, clock: Clock): IdempotencyStore {
  return {
    claim(key, { leaseMs }) {
      const token = defaultIds();
      return change<Claim>(key, (record) => {
        const leftMs = record ? record.untilMs - clock.now() : 0;
        if (record && leftMs > 0) {
          const { done, result } = record;
          return { answer: done ? { state: "done", result } : { state: "held", retryAfterMs: leftMs } };
        }
        return { answer: { state: "claimed", token }, write: { token, untilMs: clock.now() + leaseMs } };
      });
    },
    renew: (key, token, { leaseMs }) =>
      change(key, (record) => {
        if (record?.token !== token) return { answer: false };
        return record.done ? { answer: true } : { answer: true, write: { token, untilMs: clock.now() + leaseMs } };
      }),
    commit: (key, token, { keepMs, result }) =>
      change(key, (record) => {
        // Also when its lease is over: nobody else has taken the key.
        if (record?.token !== token) return { answer: false };
        // Done by an earlier call whose answer was lost.
        if (record.done) return { answer: true };
        return { answer: true, write: { token, untilMs: clock.now() + keepMs, done: true, result } };
      }),
    release: (key, token) =>
      change(key, (record) => {
        return record?.token === token && !record.done ? { answer: undefined, write: null } : { answer: undefined };
      }),
  };
}
