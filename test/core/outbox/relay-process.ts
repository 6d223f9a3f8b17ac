// A relay in a process of its own: `node --import tsx relay-process.ts <postgres url> <nats port> <receipts>`. It kills
// itself after so many receipts, before any of them is marked; with 0 it works until it is killed.
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { createEventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { createOutbox, postgresOutbox } from "waybill/outbox";

const [url = "", port = "", receipts = "0"] = process.argv.slice(2);
const connection = await connect({ servers: `127.0.0.1:${port}` });
const bus = createEventBus({
  source: "/shop",
  transports: { jetstream: jetstreamTransport({ connection, streams: [{ name: "ORDERS", subjects: ["orders.>"] }] }) },
});
let left = Number(receipts);
const dying = Object.assign(Object.create(bus), {
  async forward(...given: Parameters<typeof bus.forward>) {
    const receipt = await bus.forward(...given);
    if (--left === 0) process.kill(process.pid, "SIGKILL");
    return receipt;
  },
}) as typeof bus;
const pool = new pg.Pool({ connectionString: url });
pool.on("error", () => undefined);
const outbox = createOutbox({ bus: dying, store: postgresOutbox({ pool }) });
await outbox.relay({ pollMs: 20, onError: (error) => console.error(error.code, error.message) });
