import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { prepare } from "../../../examples/postgres-inbox/book-orders.ts";
import { events } from "../../../examples/postgres-inbox/events.ts";
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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function startService(): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("../../../examples/postgres-inbox/service.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], {
    env: {
      ...process.env,
      NATS_URL: `nats://127.0.0.1:${jetstream.server.port}`,
      DATABASE_URL: server.url,
      ACK_WAIT_MS: "1000",
    },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await new Promise((resolve) => child.once("message", resolve));
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const gone = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill(signal);
  return gone;
}

test("the example books each order once and tells of it once, however often it is killed", async () => {
  const pool = server.pool();
  await prepare(pool);
  const transport = await jetstream.transport({ streams: [{ name: "ORDERS", subjects: ["orders.>"] }] });
  const shop = createEventBus({ source: "/shop", events, transports: { jetstream: transport } });
  const count = 2_000;
  const orders = Array.from({ length: count }, (_, n) => `order-${String(n).padStart(4, "0")}`);
  const placed = await shop.publishAll(
    orders.map((orderId) => ({ type: "orders.placed", data: { orderId, amount: 1 } }) as const),
  );
  expect(placed.filter((each) => each instanceof Error)).toEqual([]);

  const booked = async (): Promise<number> => (await pool.query("select 1 from bookings")).rows.length;
  let before = 0;
  for (let kills = 0; kills < 4; kills++) {
    const service = await startService();
    // In the midst of its work.
    while ((await booked()) < before + 60) await pause(2);
    await end(service, "SIGKILL");
    before = await booked();
    expect(before).toBeLessThan(count);
  }
  const service = await startService();
  const until = Date.now() + 60_000;
  const waiting = async (): Promise<number> =>
    (await pool.query("select 1 from waybill_outbox where status <> 'sent'")).rows.length;
  while (((await booked()) < count || (await waiting()) > 0) && Date.now() < until) await pause(50);
  expect(await end(service, "SIGTERM")).toBe(0);

  // There was something to recognise.
  let deliveries = 0;
  for await (const { delivered } of jetstream.manager.consumers.list("ORDERS")) deliveries += delivered.consumer_seq;
  expect(deliveries).toBeGreaterThan(count);
  const { rows: bookings } = await pool.query<{ order_id: string }>("select order_id from bookings order by order_id");
  expect(bookings.map((row) => row.order_id)).toEqual(orders);
  expect((await pool.query("select 1 from waybill_inbox")).rows).toHaveLength(count);
  const told: string[] = [];
  for await (const { body } of transport.read!({ destination: "orders.booked" })) {
    told.push(JSON.parse(new TextDecoder().decode(body!)).orderId);
  }
  expect(told.sort()).toEqual(orders);
  await shop.close();
});
