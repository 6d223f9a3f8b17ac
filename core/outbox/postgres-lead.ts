import { EventError } from "../errors.ts";
import { ask, borrow, type PostgresPool } from "./postgres.ts";
import { type OutboxLead, type OutboxRow, rowsPerKey } from "./store.ts";
import { withoutNull } from "./without-null.ts";

/** Tells this lock from others of the session's database. */
const lockClass = 1_466_328_427;
/** The table is searched this far, as a multiple of the rows wanted: most of them may belong to one key. */
const reach = 4;

/**
 * Becomes the one relay of a table: by an advisory lock of a connection, over which all of the relay's statements go. So
 * the lock is gone with the connection, and with the lock the relay's say.
 */
export async function postgresLead(pool: PostgresPool, name: string): Promise<OutboxLead | undefined> {
  const lock = `${lockClass}, '${name}'::regclass::oid::integer`;
  const take = `select id::text, event, event_id as "eventId", type, key, destination, transport, context, attempts, refusals
from (
  select *, row_number() over (partition by key order by id) as place from (
    select * from ${name} as candidate
    where status = 'pending' and due_at <= now() and id <> all($1::bigint[])
    and (key is null or key <> all($2::text[]) and not exists (
      select from ${name} as earlier
      where earlier.key = candidate.key and earlier.id < candidate.id
      and earlier.status <> 'sent' and earlier.attempts > 0 and earlier.due_at > now()
    ))
    order by id limit $3
  ) as due
) as placed
where key is null or place <= $4 order by placed.id limit $5`;
  const sent = `update ${name} set status = 'sent', sent_at = now() where status = 'pending' and id = any($1::bigint[])`;
  const postpone = `update ${name} set attempts = attempts + 1, refusals = refusals + $2::integer, error = $3,
due_at = now() + $4::float8 * interval '1 ms' where status = 'pending' and id = $1::bigint`;
  const fail = `update ${name} set attempts = attempts + 1, refusals = refusals + 1, error = $2, status = 'failed',
due_at = case when $3 then 'infinity' else '-infinity' end::timestamptz where status = 'pending' and id = $1::bigint`;
  const prune = `delete from ${name} where id in (select id from ${name}
where status = 'sent' and sent_at <= now() - $1::float8 * interval '1 ms' order by sent_at limit $2) returning 1`;

  const { client, giveBack } = await borrow(pool);
  let sound = true;
  let open = true;
  /** A statement that failed may have taken the connection along: another one asks for the lock anew. */
  async function own<Row>(text: string, values: unknown[]): Promise<readonly Row[]> {
    // The connection may be another's by now.
    if (!open) throw new EventError("fenced", "outbox: the right to publish was given back");
    try {
      return await ask<Row>(client, text, values);
    } catch (reason) {
      sound = false;
      throw reason;
    }
  }
  let leads = false;
  try {
    const [row] = await own<{ leads: boolean }>(`select pg_try_advisory_lock(${lock}) as leads`, []);
    leads = row!.leads;
  } finally {
    if (!leads) giveBack(sound);
  }
  if (!leads) return undefined;

  return {
    async take({ limit, busyIds, busyKeys }) {
      const given = [busyIds, busyKeys, limit * reach, rowsPerKey, limit];
      return (await own<OutboxRow>(take, given)).map(withoutNull);
    },
    async sent(ids) {
      await own(sent, [ids]);
    },
    async postpone(id, { delayMs, refused, error }) {
      await own(postpone, [id, refused ? 1 : 0, error, delayMs]);
    },
    async fail(id, { holds, error }) {
      await own(fail, [id, error, holds]);
    },
    prune: async (keepMs, limit) => (await own(prune, [keepMs, limit])).length,
    async close({ now = false } = {}) {
      if (!open) return;
      if (now) sound = false;
      try {
        if (sound) await own(`select pg_advisory_unlock(${lock})`, []);
      } catch {
        // The lock goes with the connection.
      } finally {
        open = false;
        giveBack(sound);
      }
    },
  };
}
