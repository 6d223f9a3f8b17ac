// One comparison in this process, since each shapes the compiled code of what it runs. `npm run bench` runs them all.
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startKafka } from "../test/support/kafka-broker.ts";
import { startNatsServer } from "../test/support/nats-server.ts";
import type { Comparison } from "./harness.ts";
import * as overJetStream from "./jetstream.ts";
import { batcher, batches, consumption, decoded, eachMessage } from "./kafka.ts";
import { platformaticBatches, platformaticConsumption } from "./kafka-platformatic.ts";
import { post, publish, traced } from "./nats.ts";

async function overNats(
  comparison: (connection: NatsConnection) => Promise<Comparison>,
  jetstream = false,
): Promise<Comparison> {
  const server = await startNatsServer({ jetstream });
  const connection = await connect({ servers: server.url });
  try {
    return await comparison(connection);
  } finally {
    await connection.close();
    await server.stop();
  }
}

async function overKafka(comparison: (brokers: string) => Promise<Comparison>): Promise<Comparison> {
  const broker = await startKafka();
  try {
    await broker.createTopic("bench-orders", 4);
    return await comparison(broker.brokers);
  } finally {
    await broker.stop();
  }
}

const comparisons: Record<string, () => Promise<Comparison>> = {
  "nats-post": () => overNats(post),
  "nats-publish": () => overNats(publish),
  "nats-traced": () => overNats(traced),
  "jetstream-publish": () => overNats(overJetStream.publish, true),
  "jetstream-consume": () => overNats(overJetStream.consume, true),
  "kafka-batches": () => overKafka(batches),
  "kafka-batcher": () => overKafka(batcher),
  "kafka-consume": () => overKafka(consumption),
  "kafka-consume-decoded": () => overKafka(decoded),
  "kafka-platformatic-batches": () => overKafka(platformaticBatches),
  "kafka-platformatic-consume": () => overKafka(platformaticConsumption),
};

const [name, ...more] = process.argv.slice(2);
if (name === undefined) console.log(Object.keys(comparisons).join("\n"));
else if (name === "each-message") await eachMessage(more[0]!, Number(more[1]));
else {
  const { title, due, ratio, cpuRatio, perSecond, heapGrowthMiB, rounds } = await comparisons[name]!();
  const rates = Object.entries(perSecond).map(([each, rate]) => `${each} ${rate.toLocaleString("en")}/s`);
  const verdict = ratio >= due ? "met" : "MISSED";
  console.log(`${title}: ${ratio.toFixed(2)} (due ${due}, ${verdict}), by processor time ${cpuRatio.toFixed(2)}`);
  console.log(`  ${rates.join(" · ")} · ${rounds} rounds · heap ${heapGrowthMiB.toFixed(1)} MiB`);
  process.exit(ratio >= due ? 0 : 1);
}
