// A member of a group in a process of its own, so that it can be killed: `node --import tsx group-member.ts
// <brokers> <topic> <file>`. Appends `<key> <n>` to the file for each event that it has handled.
import { appendFileSync } from "node:fs";
import { createEventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";

const [brokers = "", topic = "", file = ""] = process.argv.slice(2);
const config = { "session.timeout.ms": 3_000, "heartbeat.interval.ms": 500 };
const driver = confluentDriver({ brokers: [brokers], config });
const bus = createEventBus({
  source: "/member",
  transports: { kafka: kafkaTransport({ driver, commitIntervalMs: 100 }) },
});
bus.onError((error) => {
  if (error.code !== "handler-failed") console.error(error.code, error.message);
});
await bus.subscribe(
  topic,
  async (event, { attempt, key }) => {
    const { n } = event.data as { n: number };
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    if (attempt === 1 && n % 97 === 96) throw new Error("comes again, in place");
    appendFileSync(file, `${key} ${n}\n`);
  },
  { group: "shop", concurrency: 16 },
);
process.stdout.write("joined\n");
process.once("SIGTERM", () => {
  void bus.close().then((report) => process.exit(report.unsettled === 0 ? 0 : 1));
});
