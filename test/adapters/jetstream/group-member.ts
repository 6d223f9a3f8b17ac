// A member of a group in a process of its own, so that it can be killed: `node --import tsx group-member.ts
// <port> <destination> <partitions> <group> <file>`. Appends `<key> <n>` to the file for each event it has handled.
import { appendFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";

const [port = "", destination = "", partitions = "", group = "", file = ""] = process.argv.slice(2);
const connection = await connect({ servers: `127.0.0.1:${port}` });
const streams = [{ name: "KEYS", subjects: [destination], partitions: Number(partitions) }];
const transport = jetstreamTransport({ connection, streams, ackWaitMs: 2_000 });
const bus = createEventBus({ source: "/member", transports: { jetstream: transport } });
bus.onError((error) => {
  if (error.code !== "handler-failed") console.error(error.code, error.message);
});
await bus.subscribe(
  destination,
  async (event, { attempt, key }) => {
    const { n } = event.data as { n: number };
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    if (attempt === 1 && n % 19 === 18) throw new Error("comes again, in place");
    appendFileSync(file, `${key} ${n}\n`);
  },
  { group, concurrency: 16, order: "key" },
);
process.stdout.write("joined\n");
process.once("SIGTERM", () => {
  void bus.close().then(async (report) => {
    await connection.close();
    process.exit(report.unsettled === 0 ? 0 : 1);
  });
});
