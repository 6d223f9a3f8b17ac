import type { InboxOutcome, TransactionalInbox } from "../delivery/idempotency.ts";
import { keyDigest } from "../delivery/key-digest.ts";
import { EventError } from "../errors.ts";
import { lend } from "./lend-client.ts";
import {
  ask,
  borrow,
  isConflict,
  migrateSchema,
  type PostgresClient,
  type PostgresPool,
  postgresError,
  quoteTable,
  transact,
} from "./postgres.ts";

/** Options of {@link postgresInbox}. */
export interface PostgresInboxOptions<Client extends PostgresClient = PostgresClient> {
  /** Where each run takes a connection for as long as it lasts: give it as many as handlers run at once. */
  readonly pool: PostgresPool<Client>;
  /** Name of the table, with or without its schema. Default: `waybill_inbox`. */
  readonly table?: string;
  /** Isolation level of the transactions. Default: `read committed`. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
}

/** An inbox in PostgreSQL. */
export interface PostgresInbox<Client extends PostgresClient = PostgresClient> extends TransactionalInbox<Client> {
  /** Makes the table when it is not there. */
  migrate(): Promise<void>;
  /** Removes up to 1,000 keys that are over, and answers how many. Every hundredth run does it too. */
  prune(): Promise<number>;
}

const runsPerPrune = 100;
const isolations = ["read committed", "repeatable read", "serializable"];

/** The statements that make the table of {@link postgresInbox}, for migrations of one's own. Default: `waybill_inbox`. */
export function postgresInboxDdl(table = "waybill_inbox"): string {
  const name = quoteTable(table);
  const plain = table.split(".").at(-1)!;
  return `create table if not exists ${name} (
  key text primary key,
  result text,
  done_at timestamptz not null default now(),
  keep_until timestamptz not null
);
create index if not exists "${plain}_keep_until" on ${name} (keep_until);
`;
}

/**
 * Remembers handled events in the PostgreSQL database that holds their effects: the handler works in the transaction
 * that marks the event, so that both are there or neither. The effect happens once, whatever crashes.
 *
 * The key is marked first. A second run of it waits until the first has ended, and then either finds it done or takes
 * it. Keys are kept as their SHA-256. PostgreSQL 13 or newer.
 *
 * The transaction is the work's for as long as the work runs. A handler that goes on after its `timeoutMs` is refused:
 * every call of the client throws `fenced`.
 *
 * @throws EventError `invalid-option` for what is no name of a table. From `run`, beside what the work rejects with:
 * retryable for a serialization failure or deadlock, in the work too, and for a lost connection. When the answer to the
 * commit is lost, `outcome` is `unknown`: the next run of the key finds out. `handler-failed` when the work ended the
 * transaction itself, or went on after a statement had failed.
 *
 * @example
 * ```ts
 * import pg from "pg";
 * import { postgresInbox } from "waybill/outbox";
 *
 * const inbox = postgresInbox<pg.PoolClient>({ pool: new pg.Pool() });
 * await inbox.migrate();
 * const { repeated } = await inbox.run(
 *   "/shop order o-1",
 *   async (transaction) => {
 *     await transaction.query("insert into orders (id) values ($1)", ["o-1"]);
 *     return undefined;
 *   },
 *   { keepMs: 604_800_000 },
 * );
 * ```
 */
export function postgresInbox<Client extends PostgresClient = PostgresClient>(
  options: PostgresInboxOptions<Client>,
): PostgresInbox<Client> {
  const { pool, table = "waybill_inbox", isolation = "read committed" } = options;
  const name = quoteTable(table);
  if (!isolations.includes(isolation))
    throw new EventError("invalid-option", `inbox: no isolation level "${isolation}"`);
  const ddl = postgresInboxDdl(table);
  const begin = `begin isolation level ${isolation}`;
  // Waits for a transaction that has the key, then sees whether that was committed. Over what is over it writes.
  const mark = `insert into ${name} as marked (key, keep_until) values ($1, now() + $2::float8 * interval '1 ms')
on conflict (key) do update set keep_until = excluded.keep_until, done_at = now(), result = null
where marked.keep_until <= now() returning 1`;
  const find = `select result from ${name} where key = $1`;
  // Not found when this is another transaction than the one that wrote the mark.
  const finish = `update ${name} set result = $2 where key = $1 and xmin = pg_current_xact_id()::xid returning 1`;
  const forget = `delete from ${name} where key in
(select key from ${name} where keep_until <= now() order by keep_until limit 1000 for update skip locked) returning 1`;
  let runs = 0;

  async function runWork(
    client: Client,
    work: (transaction: Client) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const lent = lend(client);
    try {
      return await work(lent.client);
    } catch (reason) {
      throw isConflict(reason) ? postgresError(reason) : reason;
    } finally {
      // Before the commit or rollback is sent: what its limit of time has left behind may still be at work.
      lent.end();
    }
  }

  async function finishMark(client: Client, key: string, result: string | undefined): Promise<void> {
    // As JSON: PostgreSQL's text has no NUL.
    const rows = await ask(client, finish, [key, result === undefined ? null : JSON.stringify(result)]).catch(
      (reason: EventError) => {
        if ((reason.cause as { code?: unknown } | undefined)?.code !== "25P02") throw reason;
        const text = "inbox: the handler went on after a statement of its transaction had failed";
        throw new EventError("handler-failed", text, { cause: reason.cause, retryable: true });
      },
    );
    if (rows.length === 0) throw new EventError("handler-failed", "inbox: the handler ended its transaction itself");
  }

  async function prune(): Promise<number> {
    const { client, giveBack } = await borrow(pool);
    let sound = false;
    try {
      const { length } = await ask(client, forget);
      sound = true;
      return length;
    } finally {
      giveBack(sound);
    }
  }

  return {
    migrate: () => migrateSchema(pool, ddl),
    prune,
    async run(given, work, { keepMs }): Promise<InboxOutcome> {
      if (!(keepMs > 0)) throw new EventError("invalid-option", `inbox: keepMs must be above 0, not ${keepMs}`);
      const key = await keyDigest(given);
      if (++runs % runsPerPrune === 0) await prune();
      return transact(pool, begin, async (client) => {
        const marked = await ask(client, mark, [key, keepMs]);
        if (marked.length === 0) {
          const [row] = await ask<{ result: string | null }>(client, find, [key]);
          return { repeated: true, result: row?.result == null ? undefined : JSON.parse(row.result) };
        }
        const result = await runWork(client, work);
        await finishMark(client, key, result);
        return { repeated: false, result };
      });
    },
  };
}
