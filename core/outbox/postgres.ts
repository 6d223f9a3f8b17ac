import { EventError } from "../errors.ts";

/** The part of a client of PostgreSQL that is called; those of `pg` fit. */
export interface PostgresQueryable {
  /** Runs one statement, with `$1` and so on from `values`. */
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** A connection of one's own for a while, out of a pool. */
export interface PostgresClient extends PostgresQueryable {
  /** Gives it back to its pool; with true the connection is closed. */
  release(destroy?: boolean): void;
  /** Where clients tell of a lost connection: without a listener `pg` would end the process. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  /** Undoes {@link on}. */
  off?(event: "error", listener: (error: Error) => void): unknown;
}

/** A pool of connections, such as `Pool` of `pg`. */
export interface PostgresPool<Client extends PostgresClient = PostgresClient> {
  /** Waits for a connection that is free. */
  connect(): Promise<Client>;
}

const plainName = /^[a-z_][a-z0-9_]{0,62}$/i;

/** `shop.outbox` as `"shop"."outbox"`; throws `invalid-option` for what is no name of a table. */
export function quoteTable(table: string): string {
  const parts = table.split(".");
  if (parts.length > 2 || !parts.every((part) => plainName.test(part))) {
    throw new EventError("invalid-option", `postgres: ${JSON.stringify(table)} is no name of a table`);
  }
  return parts.map((part) => `"${part}"`).join(".");
}

/** The SQLSTATE of a server's error, or undefined where the connection failed. */
function stateOf(reason: unknown): string | undefined {
  const code = (reason as { code?: unknown } | null)?.code;
  // No state begins with an E, as the names of system errors do (EPIPE).
  return typeof code === "string" && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : undefined;
}

/** Lost or refused connection, conflict with another transaction, no resources, shut down, lock not available, disk. */
const passing = /^(08|40|53|57|55P03|58)/;
/** After these nobody knows what became of a statement. */
const cutOff = /^(08|57P)/;

/** Whether the server has answered and the connection is of use. */
export function answered(reason: unknown): boolean {
  const state = stateOf(reason);
  return state !== undefined && !cutOff.test(state);
}

/** Whether another transaction was in the way: the same may succeed when it is run again as a whole. */
export function isConflict(reason: unknown): boolean {
  return stateOf(reason)?.startsWith("40") ?? false;
}

/** What failed, as an error of Waybill with the server's as its cause. */
export function postgresError(reason: unknown): EventError {
  const state = stateOf(reason);
  if (state === undefined) return EventError.from(reason, "unreachable", true);
  if (state.startsWith("28")) return EventError.from(reason, "unauthorized");
  if (/^(42|3D|3F)/.test(state)) return EventError.from(reason, "configuration-mismatch");
  return EventError.from(reason, "transport-failed", passing.test(state));
}

/** The rows of one statement of Waybill's own. */
export async function ask<Row>(
  client: PostgresQueryable,
  text: string,
  values: unknown[] = [],
): Promise<readonly Row[]> {
  try {
    const { rows } = await client.query(text, values);
    return rows as readonly Row[];
  } catch (reason) {
    throw postgresError(reason);
  }
}

/** A connection and how it is given back: closed when it is not known to be sound. */
export async function borrow<Client extends PostgresClient>(
  pool: PostgresPool<Client>,
): Promise<{ readonly client: Client; giveBack(sound: boolean): void }> {
  let client: Client;
  try {
    client = await pool.connect();
  } catch (reason) {
    throw postgresError(reason);
  }
  // The statement that runs fails too, and is what tells of it.
  const ignore = (): void => undefined;
  client.on?.("error", ignore);
  return {
    client,
    giveBack(sound) {
      client.off?.("error", ignore);
      client.release(!sound);
    },
  };
}

/**
 * Runs `work` in a transaction. What it rejects with comes out after a rollback. A commit whose answer is lost rejects
 * with `outcome` `unknown`.
 */
export async function transact<Client extends PostgresClient, T>(
  pool: PostgresPool<Client>,
  begin: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { client, giveBack } = await borrow(pool);
  let sound = false;
  try {
    await ask(client, begin);
    let result: T;
    try {
      result = await work(client);
    } catch (reason) {
      sound = await client.query("rollback").then(
        () => true,
        () => false,
      );
      throw reason;
    }
    try {
      await client.query("commit");
    } catch (reason) {
      sound = answered(reason);
      const error = postgresError(reason);
      const outcome = sound ? "failed" : "unknown";
      // Refused by the server (a deferred constraint, a conflict): all of it may be tried again.
      throw new EventError(error.code, error.message, { cause: reason, retryable: true, outcome });
    }
    sound = true;
    return result;
  } finally {
    giveBack(sound);
  }
}

/** Runs the statements of a schema, of which several processes may start at once: they wait for each other. */
export async function migrateSchema(pool: PostgresPool, ddl: string): Promise<void> {
  await transact(pool, "begin", async (client) => {
    await ask(client, `select pg_advisory_xact_lock(${migrationLock})`);
    for (const statement of ddl.split(";\n")) if (statement.trim()) await ask(client, statement);
  });
}

/** "Waybill" in ASCII: what else takes advisory locks is unlikely to use it. */
const migrationLock = "24595716489276524";
