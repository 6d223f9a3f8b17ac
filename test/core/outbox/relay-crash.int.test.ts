import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { createOutbox, postgresOutbox } from "waybill/outbox";
import { type JetStreamSetup, startJetStream } from "../../adapters/jetstream/setup.ts";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";

let server: PostgresServer;
let jetstream: JetStreamSetup;

beforeAll(async () => {
  server = await startPostgres();
  jetstream = await startJetStream();
});
afterAll(async () => {
  await Promise.all([server?.stop(), jetstream?.[Symbol.asyncDispose]()]);
});

function startRelay(receipts: number): ChildProcess {
  const script = fileURLToPath(new URL("./relay-process.ts", import.meta.url));
  const args = ["--import", "tsx", script, server.url, String(jetstream.server.port), String(receipts)];
  return spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
}

test("relays that are killed between a receipt and its mark lose nothing, store nothing twice and keep each key's order", async () => {
  const pool = server.pool();
  const store = postgresOutbox({ pool });
  await store.migrate();
  // Only writes events; the processes publish them.
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
  const outbox = createOutbox({ bus, store });
  const committed: { id: string; key: string | undefined }[] = [];

  async function order(client: pg.PoolClient, n: number): Promise<void> {
    const key = n % 5 === 0 ? undefined : `key-${n % 7}`;
    await client.query("begin");
    const { id } = await outbox.add(client, "orders.placed", { n }, { key });
    const commits = n % 6 !== 0;
    await client.query(commits ? "commit" : "rollback");
    if (commits) committed.push({ id, key });
  }
  const count = 300;
  const writers = [0, 1, 2].map(async (writer) => {
    const client = await pool.connect();
    for (let n = writer; n < count; n += 3) await order(client, n);
    client.release();
  });

  for (const receipts of [1, 7, 2, 20, 40]) {
    const relay = startRelay(receipts);
    const signal = await new Promise((resolve) => relay.once("exit", (_, by) => resolve(by)));
    expect(signal).toBe("SIGKILL");
    // What the first one published is published again: it died before it could write down anything.
    if (receipts === 1) {
      expect((await pool.query("select 1 from waybill_outbox where status = 'sent'")).rows).toEqual([]);
      expect((await jetstream.manager.streams.info("ORDERS")).state.messages).toBeGreaterThan(0);
    }
  }
  await Promise.all(writers);
  const relays = [startRelay(0), startRelay(0)];
  const until = Date.now() + 60_000;
  while ((await outbox.stats()).pending > 0 && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await outbox.stats()).toEqual({ pending: 0, failed: 0, oldestMs: 0 });
  for (const relay of relays) relay.kill("SIGKILL");

  const stored: { id: string; key: string | undefined }[] = [];
  const transport = await jetstream.transport();
  for await (const { headers } of transport.read!({ destination: "orders.placed" })) {
    stored.push({ id: headers.get("ce-id")!, key: headers.get("ce-partitionkey") });
  }
  await transport.close();
  await bus.close();
  expect(committed.length).toBe(250);
  expect(stored.map(({ id }) => id).sort()).toEqual(committed.map(({ id }) => id).sort());
  for (const key of Array.from({ length: 7 }, (_, n) => `key-${n}`)) {
    const ofKey = (all: typeof stored): string[] => all.filter((each) => each.key === key).map(({ id }) => id);
    expect(ofKey(stored), key).toEqual(ofKey(committed));
  }
});
