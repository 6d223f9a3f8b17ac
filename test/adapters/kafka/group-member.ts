// A member of a group in a process of its own, so that it can be killed: `node --import tsx group-member.ts
// <driver> <brokers> <topic> <group> <file>`. Appends `<key> <sequence>` to the file for each event it has handled.
import { appendFileSync } from "node:fs";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { driverOf } from "./drivers.ts";
import { SerialSink } from "./serial-sink.ts";

const [name = "", brokers = "", topic = "", group = "", file = ""] = process.argv.slice(2);
const driver = driverOf(name, { brokers, sessionTimeoutMs: 3_000 });
const transport = kafkaTransport({ driver, commitIntervalMs: 100 });
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
