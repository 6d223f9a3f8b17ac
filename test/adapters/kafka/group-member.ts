// A member of a group in a process of its own, so that it can be killed: `node --import tsx group-member.ts
// <brokers> <topic> <group> <file>`. Appends `<key> <sequence>` to the file for each event it has handled.
import { appendFileSync } from "node:fs";
import { confluentDriver } from "../../../adapters/kafka/confluent/index.ts";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { SerialSink } from "./serial-sink.ts";

const [brokers = "", topic = "", group = "", file = ""] = process.argv.slice(2);
const config = { "session.timeout.ms": 3_000, "heartbeat.interval.ms": 500 };
const transport = kafkaTransport({ driver: confluentDriver({ brokers, config }), commitIntervalMs: 100 });
const decoder = new TextDecoder();

const sink = new SerialSink(async ({ message }) => {
  await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 6));
  appendFileSync(file, `${message.key} ${decoder.decode(message.body!)}\n`);
});
const run = async (): Promise<void> => {
  sink.subscription = await transport.consume({ destinations: [topic], group, from: "earliest" }, sink);
  sink.subscription.credit(16);
  process.stdout.write("joined\n");
};
process.once("SIGTERM", () => {
  void transport.close().then(() => process.exit(0));
});
void run();
