// Produces, consumes as a member of a group and commits, then stores in a transaction and reads what is stored, in whatever runtime runs it: `runtime-journey.ts <brokers>
// <topic>`. Prints what it saw as one line of JSON.
import { createEventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { platformaticDriver } from "waybill/kafka/platformatic";

const [brokers = "", topic = ""] = process.argv.slice(2);
const newBus = () => {
  const driver = platformaticDriver({ brokers });
  const transports = { kafka: kafkaTransport({ driver, commitIntervalMs: 50 }) };
  const bus = createEventBus({ source: "/journey", transports });
  bus.onError((error) => console.error(error.code, error.message));
  return bus;
};
const count = 100;

async function consume(): Promise<number[]> {
  const seen: number[] = [];
  const bus = newBus();
  let all: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    all = resolve;
  });
  // The second member finds nothing left: it looks for a while and gives up.
  const idle = setTimeout(() => all(), 3_000);
  await bus.subscribe(
    topic,
    async (event) => {
      seen.push((event.data as { n: number }).n);
      if (seen.length === count) all();
    },
    { group: "journey" },
  );
  await done;
  clearTimeout(idle);
  const { unsettled } = await bus.close();
  if (unsettled > 0) throw new Error(`${unsettled} deliveries were not committed`);
  return seen;
}

const publisher = newBus();
const items = Array.from({ length: count }, (_, n) => ({ type: topic, data: { n }, key: `key-${n % 7}` }));
const stored = (await publisher.publishAll(items)).filter((each) => "offset" in each).length;
await publisher.close();
const first = await consume();
const second = await consume();

const kafka = kafkaTransport({ driver: platformaticDriver({ brokers }) });
const { destinations } = await kafka.ensure!({ role: "dead-letter", source: topic });
const transactions = await kafka.openTransactions!(`journey-${topic}`);
const letter = { destination: destinations[0]!, headers: [], body: "letter" };
await transactions.publish([letter, letter]);
let letters = 0;
// A commit is answered when it is decided; the partitions learn of it a moment later, and until then it is not read.
for (let tried = 0; letters < 2 && tried < 50; tried++) {
  letters = 0;
  for await (const _ of kafka.read!({ destination: letter.destination })) letters++;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await kafka.close();
console.log(JSON.stringify({ stored, seen: new Set(first).size, again: second.length, letters }));
process.exit(0);
