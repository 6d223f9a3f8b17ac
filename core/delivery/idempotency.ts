import type { CloudEvent } from "../event.ts";
import type { HandlerDelivery } from "../options.ts";

/** What a claim of a key found. */
export type Claim =
  /** The key is ours until `leaseMs` from now; `token` says so to `commit`, `renew` and `release`. */
  | { readonly state: "claimed"; readonly token: string }
  /** Another holds it, for `retryAfterMs` more unless it renews. */
  | { readonly state: "held"; readonly retryAfterMs: number }
  /** The work is done. `result` is what `commit` kept. */
  | { readonly state: "done"; readonly result?: string | undefined };

/** A value, or a promise of it where the store is not at hand. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Remembers what was handled: claim, run, commit. Of two that claim a key at once one gets it. What crashes between its
 * effect and `commit` is run again once its lease is over: such a store makes repeats rare, not impossible.
 */
export interface IdempotencyStore {
  /** Takes the key for a while, unless it is held or done. */
  claim(key: string, options: { readonly leaseMs: number }): Awaitable<Claim>;
  /** Prolongs a claim to `leaseMs` from now. False: the key has another owner. */
  renew(key: string, token: string, options: { readonly leaseMs: number }): Awaitable<boolean>;
  /** Marks the work as done for `keepMs`. False: the key has another owner, who does the work too. */
  commit(
    key: string,
    token: string,
    options: { readonly keepMs: number; readonly result?: string | undefined },
  ): Awaitable<boolean>;
  /** Gives a claim back, since the work failed. A claim that is another's by now stays. */
  release(key: string, token: string): Awaitable<void>;
}

/** What {@link TransactionalInbox.run} did. */
export interface InboxOutcome {
  /** The key was done before: the work was not run, and `result` is what it gave then. */
  readonly repeated: boolean;
  /** What the work gave, now or then; undefined where it gave nothing. */
  readonly result?: string | undefined;
}

/**
 * Runs work and remembers it in one transaction of the user's own database: both are there, or neither. That makes the
 * effect happen once, whatever crashes.
 */
export interface TransactionalInbox<Tx> {
  /**
   * Runs `work` in a transaction that also marks `key`, and keeps the text that `work` gives. When the key is marked
   * already it is not run. Rejects as `work` does, after a rollback. Two runs of one key at once wait for each other.
   */
  run(
    key: string,
    work: (transaction: Tx) => Promise<string | undefined>,
    options: { readonly keepMs: number },
  ): Promise<InboxOutcome>;
}

/** How a subscription makes sure that what an event causes happens once. */
export interface IdempotencyOptions<Tx = undefined> {
  /**
   * Where it is remembered which events were handled: a store of claims, or the inbox of a database, whose transaction
   * the handler gets as `delivery.transaction`.
   */
  readonly store: IdempotencyStore | TransactionalInbox<Tx>;
  /** What tells events apart. Default: `source` and `id`. The destination and the group are always added. */
  readonly key?: (event: CloudEvent, delivery: HandlerDelivery) => string;
  /** How long a claim holds when nobody renews it, in milliseconds; it is renewed while the handler runs. Default: 30,000. */
  readonly leaseMs?: number;
  /** How long a handled event is remembered, in milliseconds. Default: 604,800,000 (seven days). */
  readonly keepMs?: number;
}
