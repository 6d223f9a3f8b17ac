// A member of a group in a process of its own, so that it can be killed: `node --import tsx group-member.ts
// <driver> <rebalance> <brokers> <topic> <file>`. Appends `<key> <n>` to the file for each event that it has handled.
import { appendFileSync } from "node:fs";
import { createEventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { platformaticDriver } from "waybill/kafka/platformatic";

const [name = "", rebalance = "", brokers = "", topic = "", file = ""] = process.argv.slice(2);
const classic = { groupProtocol: "classic", sessionTimeoutMs: 3_000 } as const;
const settings = {
  eager: { ...classic, assignmentStrategy: "roundrobin" },
  cooperative: { ...classic, assignmentStrategy: "cooperative-sticky" },
  "KIP-848": { groupProtocol: "consumer" },
} as const;
const options = { brokers, ...settings[rebalance as keyof typeof settings] };
const driver = name === "confluent" ? confluentDriver(options) : platformaticDriver(options);
const bus = createEventBus({
  source: "/member",
  transports: { kafka: kafkaTransport({ driver, commitIntervalMs: 100 }) },
});
bus.onError((error) => {
  // Where the broker assigns, @platformatic/kafka gives back what runs before anyone is asked.
  if (error.code !== "handler-failed" && error.code !== "fenced") console.error(error.code, error.message);
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
