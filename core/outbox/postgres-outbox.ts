import { EventError } from "../errors.ts";
import {
  ask,
  borrow,
  migrateSchema,
  type PostgresClient,
  type PostgresPool,
  type PostgresQueryable,
  quoteTable,
} from "./postgres.ts";
import type { FailedRow, OutboxStats, OutboxStore } from "./store.ts";
import { withoutNull } from "./without-null.ts";

/** Options of {@link postgresOutbox}. */
export interface PostgresOutboxOptions {
  /**
   * Connections for the relay, which keeps one as long as it runs, and for the other calls; `add` uses the caller's
   * own. They must reach the server itself or a pooler by session: the right to publish is a lock of the session.
   */
  readonly pool: PostgresPool;
  /** Name of the table, with or without its schema. Default: `waybill_outbox`. */
  readonly table?: string;
  /**
   * Whether `add` takes a lock on the event's key until the transaction ends, so that events of a key have one order,
   * also when transactions overlap. false: for those that lock what the key names themselves. Default: true.
   */
  readonly lockKeys?: boolean;
}

/** An outbox in PostgreSQL. The transaction is any client on which one has begun. */
export interface PostgresOutbox extends OutboxStore<PostgresQueryable> {
  /** Makes the table when it is not there. */
  migrate(): Promise<void>;
}

/** Longest key, in bytes of UTF-8: an index of PostgreSQL takes no more than some 2,700. */
const maxKeyBytes = 1_024;

/** The statements that make the table of {@link postgresOutbox}, for migrations of one's own. Default: `waybill_outbox`. */
export function postgresOutboxDdl(table = "waybill_outbox"): string {
  const name = quoteTable(table);
  const plain = table.split(".").at(-1)!;
  return `create table if not exists ${name} (
  id bigint generated always as identity primary key,
  event_id text not null,
  type text not null,
  key text,
  destination text,
  transport text,
  event text not null,
  context text,
  status text not null default 'pending' check (status in ('pending', 'sent', 'failed')),
  attempts integer not null default 0,
  refusals integer not null default 0,
  error text,
  added_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null default '-infinity',
  sent_at timestamptz
);
create index if not exists "${plain}_pending" on ${name} (id) where status = 'pending';
create index if not exists "${plain}_troubled" on ${name} (key, id) where status <> 'sent' and attempts > 0;
create index if not exists "${plain}_sent" on ${name} (sent_at) where status = 'sent';
`;
}

/**
 * Keeps the rows of an outbox in a table of the PostgreSQL database in which the effects are: an event is there if and
 * only if the transaction that added it was committed. PostgreSQL 13 or newer.
 *
 * Among all relays of a table one publishes at a time; when its process or connection ends another one takes over.
 *
 * @throws EventError `invalid-option` for what is no name of a table. From `add`: `too-large` for a key of more than
 * 1,024 bytes, and what the database says; then the caller's transaction has failed.
 *
 * @example
 * ```ts
 * import pg from "pg";
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 * import { createOutbox, postgresOutbox } from "waybill/outbox";
 *
 * const pool = new pg.Pool();
 * const store = postgresOutbox({ pool });
 * await store.migrate();
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * const outbox = createOutbox({ bus, store });
 * const client = await pool.connect();
 * await client.query("begin");
 * await client.query("insert into orders (id) values ($1)", ["o-1"]);
 * await outbox.add(client, "order.placed", { orderId: "o-1" }, { key: "o-1" });
 * await client.query("commit");
 * ```
 */
export function postgresOutbox(options: PostgresOutboxOptions): PostgresOutbox {
  const { pool, table = "waybill_outbox", lockKeys = true } = options;
  const name = quoteTable(table);
  const ddl = postgresOutboxDdl(table);
  // Before the row has its number, so that numbers of a key are in the order of the transactions.
  const lock = `select pg_advisory_xact_lock('${name}'::regclass::oid::integer, hashtext($1))`;
  const insert = `insert into ${name} (event, event_id, type, key, destination, transport, context)
values ($1, $2, $3, $4, $5, $6, $7)`;
  const count = `select
(select count(*)::integer from ${name} where status = 'pending') as pending,
(select count(*)::integer from ${name} where status = 'failed' and status <> 'sent' and attempts > 0) as failed,
(select extract(epoch from clock_timestamp() - added_at)::float8 * 1000 from ${name}
where status = 'pending' order by id limit 1) as age`;
  const listFailed = `select id::text, event, event_id as "eventId", type, key, destination, transport, context,
attempts, refusals, error from ${name} where status = 'failed' and status <> 'sent' and attempts > 0 order by id limit $1`;
  const again = `update ${name} set status = 'pending', attempts = 0, refusals = 0, due_at = '-infinity'
where status = 'failed' and id = any($1::bigint[]) returning 1`;
  const discard = `delete from ${name} where status = 'failed' and id = any($1::bigint[]) returning 1`;

  /** Runs one statement on any connection. */
  async function once<Row>(text: string, values: unknown[] = []): Promise<readonly Row[]> {
    const { client, giveBack } = await borrow<PostgresClient>(pool);
    let sound = false;
    try {
      const rows = await ask<Row>(client, text, values);
      sound = true;
      return rows;
    } finally {
      giveBack(sound);
    }
  }

  return {
    migrate: () => migrateSchema(pool, ddl),
    async add(transaction, { event, eventId, type, key, destination, transport, context }) {
      if (key !== undefined) {
        if (new TextEncoder().encode(key).length > maxKeyBytes) {
          throw new EventError("too-large", `outbox: a key has at most ${maxKeyBytes} bytes`);
        }
        if (lockKeys) await ask(transaction, lock, [key]);
      }
      const given = [event, eventId, type, key, destination, transport, context];
      await ask(
        transaction,
        insert,
        given.map((value) => value ?? null),
      );
    },
    lead: async () => (await import("./postgres-lead.ts")).postgresLead(pool, name),
    async stats() {
      const [row] = await once<{ pending: number; failed: number; age: number | null }>(count);
      return { pending: row!.pending, failed: row!.failed, oldestMs: Math.max(0, row!.age ?? 0) } satisfies OutboxStats;
    },
    failed: async (limit) => (await once<FailedRow>(listFailed, [limit])).map(withoutNull),
    retry: async (ids) => (await once(again, [ids])).length,
    discard: async (ids) => (await once(discard, [ids])).length,
  };
}
