// `NATS_URL=… DATABASE_URL=… node --import tsx examples/postgres-inbox/service.ts`: books orders until it is stopped.
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { createEventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { natsConnectDefaults } from "waybill/nats";
import { bookOrders, prepare } from "./book-orders.ts";
import { events } from "./events.ts";

// One connection for the relay, one for each of the handlers, and a few to spare.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 12 });
pool.on("error", (error) => console.error(`database: ${error.message}`));
await prepare(pool);
const servers = process.env.NATS_URL ?? "nats://127.0.0.1:4222";
const connection = await connect({ servers, ...natsConnectDefaults({ name: "books" }) });
const streams = [{ name: "ORDERS", subjects: ["orders.>"] }];
const transport = jetstreamTransport({ connection, streams, ackWaitMs: Number(process.env.ACK_WAIT_MS ?? 30_000) });
const bus = createEventBus({ source: "/books", events, transports: { jetstream: transport } });
bus.onError((error, { event }) => console.error(`${error.code}: ${error.message}`, event?.id ?? ""));
const { relay } = await bookOrders(bus, pool);
process.send?.("ready");

process.once("SIGTERM", async () => {
  await relay.close();
  await bus.close();
  await connection.close();
  await pool.end();
});
