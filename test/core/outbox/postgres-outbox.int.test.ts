import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { createOutbox, postgresOutbox, postgresOutboxDdl } from "waybill/outbox";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { gate } from "./gate.ts";
import { draft, type StoreSetup, storeCases } from "./store-cases.ts";

let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  pool = server.pool();
  await pool.query("drop table if exists waybill_outbox");
  await postgresOutbox({ pool }).migrate();
});
afterEach(() => pool.end());

async function transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (reason) {
    await client.query("rollback");
    throw reason;
  } finally {
    client.release();
  }
}

function setUp(): StoreSetup<pg.PoolClient> {
  const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  return { store: postgresOutbox({ pool }), transaction, pass };
}

const all = { limit: 1_000, busyIds: [], busyKeys: [] };

describe("an outbox in PostgreSQL", () => {
  test.each(storeCases)("$title", ({ run }) => run(setUp()));

  test("leaves no connection behind when another leads", async () => {
    const store = postgresOutbox({ pool });
    const lead = await store.lead();
    for (let n = 0; n < 20; n++) expect(await store.lead()).toBeUndefined();
    await lead!.close();
    expect([pool.totalCount, pool.idleCount]).toEqual([2, 2]);
  });

  test("a transaction waits for another one's key, so that a later number is never seen before an earlier one", async () => {
    const { store } = setUp();
    const open = gate();
    const first = transaction(async (client) => {
      await store.add(client, draft("first", "k"));
      await open.passed;
    });
    await open.reached;
    let done = false;
    const second = transaction((client) => store.add(client, draft("second", "k"))).then(() => {
      done = true;
    });
    await transaction((client) => store.add(client, draft("another", "l")));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(done).toBe(false);
    open.pass();
    await Promise.all([first, second]);
    const lead = await store.lead();
    expect((await lead!.take(all)).map(({ eventId }) => eventId)).toEqual(["first", "another", "second"]);
    await lead!.close();
  });

  test("lockKeys: false waits for nobody", async () => {
    const store = postgresOutbox({ pool, lockKeys: false });
    const open = gate();
    const first = transaction(async (client) => {
      await store.add(client, draft("first", "k"));
      await open.passed;
    });
    await open.reached;
    await transaction((client) => store.add(client, draft("second", "k")));
    open.pass();
    await first;
  });

  test("the right to publish goes with its connection", async () => {
    await using proxy = await startTcpProxy(server.port);
    const far = server.pool({ connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` });
    const lost = await postgresOutbox({ pool: far }).lead();
    const near = postgresOutbox({ pool });
    expect(await near.lead()).toBeUndefined();
    proxy.reset();
    await expect(lost!.take(all)).rejects.toMatchObject({ code: "unreachable", retryable: true });
    await lost!.close();
    let lead = await near.lead();
    while (!lead) lead = await near.lead();
    await lead.close();
  });

  test("two tables have two leads, also when they differ in their schema alone", async () => {
    await pool.query("create schema if not exists shop");
    const [one, other] = [postgresOutbox({ pool }), postgresOutbox({ pool, table: "shop.waybill_outbox" })];
    await other.migrate();
    const leads = [await one.lead(), await other.lead()];
    for (const lead of leads) await lead!.close();
    expect(postgresOutboxDdl("shop.events")).toContain('create table if not exists "shop"."events"');
  });

  test("a long backlog of many keys, behind a long history, is taken in no time", async () => {
    const many = (count: number, status: string): Promise<unknown> =>
      pool.query(`insert into waybill_outbox (event_id, type, key, event, status)
select n, 't', 'k' || n % 1000, '{}', '${status}' from generate_series(1, ${count}) n`);
    await many(50_000, "sent");
    await pool.query("analyze waybill_outbox");
    await many(20_000, "pending");
    const lead = await postgresOutbox({ pool }).lead();
    const times: number[] = [];
    for (let n = 0; n < 5; n++) {
      const begin = performance.now();
      expect(await lead!.take({ ...all, limit: 256 })).toHaveLength(256);
      times.push(performance.now() - begin);
    }
    await lead!.close();
    // Some 3 ms. Without the right index it is a hundred times as much.
    expect(Math.min(...times)).toBeLessThan(60);
  });

  test("a relay goes on when the server comes back", async () => {
    const own = await startPostgres();
    const store = postgresOutbox({ pool: own.pool() });
    await store.migrate();
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
    const outbox = createOutbox({ bus, store });
    const errors: string[] = [];
    const relay = await outbox.relay({ pollMs: 20, onError: ({ code }) => errors.push(code) });
    while (!relay.leading) await new Promise((resolve) => setTimeout(resolve, 5));
    await own.kill();
    while (relay.leading || errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await own.restart();
    const client = await own.pool().connect();
    await client.query("begin");
    await outbox.add(client, "order.placed", {});
    await client.query("commit");
    client.release();
    while (relay.published === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(errors).toEqual(["unreachable"]);
    expect(await relay.close()).toEqual({ unfinished: 0 });
    await bus.close();
    await own.stop();
  });

  test("a key that no index takes is refused before anything is written", async () => {
    const { store } = setUp();
    const added = transaction((client) => store.add(client, draft("a", "é".repeat(513))));
    await expect(added).rejects.toMatchObject({ code: "too-large" });
    await transaction((client) => store.add(client, draft("a", "é".repeat(512))));
  });

  test("a table that is missing is a mismatch of configuration", async () => {
    const store = postgresOutbox({ pool, table: "nowhere" });
    const mismatch = { code: "configuration-mismatch", retryable: false };
    await expect(transaction((client) => store.add(client, draft("a")))).rejects.toMatchObject(mismatch);
    await expect(store.lead()).rejects.toMatchObject(mismatch);
    await expect(store.stats()).rejects.toMatchObject(mismatch);
    expect(() => postgresOutbox({ pool, table: "a b" })).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});
