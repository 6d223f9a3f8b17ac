// A publisher in a process of its own, so that it can be killed in the middle of a transaction: `node --import tsx
// transaction-writer.ts <driver> <brokers> <topic> <name> <messages>`. Says "begun" when the first transaction begins.
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { driverOf } from "./drivers.ts";

const [name = "", brokers = "", topic = "", id = "", messages = ""] = process.argv.slice(2);
const transport = kafkaTransport({ driver: driverOf(name, { brokers }), buffer: { messages: 10_000_000 } });
const body = "x".repeat(200);

const run = async (): Promise<void> => {
  const publisher = await transport.openTransactions!(id);
  for (let round = 0; ; round++) {
    const batch = Array.from({ length: Number(messages) }, (_, n) => ({
      destination: topic,
      headers: ["round", String(round)],
      body,
      key: String(n % 50),
    }));
    const stored = publisher.publish(batch);
    if (round === 0) process.stdout.write("begun\n");
    await stored;
    process.stdout.write(`stored ${round}\n`);
  }
};
void run();
