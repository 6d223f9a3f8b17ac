// Ratios against the shortest correct code by hand: same client, same broker, same run, by turns.
import { connect } from "@nats-io/transport-node";
import { startKafka } from "../test/support/kafka-broker.ts";
import { startNatsServer } from "../test/support/nats-server.ts";
import type { Comparison } from "./harness.ts";
import { kafkaComparisons } from "./kafka.ts";
import { natsComparisons } from "./nats.ts";

const only = process.argv[2];
const results: Comparison[] = [];
console.log(`Node ${process.version}: medians of interleaved turns, time by hand / ours\n`);

if (only !== "kafka") {
  const server = await startNatsServer();
  const connection = await connect({ servers: server.url });
  try {
    for await (const result of natsComparisons(connection)) show(result);
  } finally {
    await connection.close();
    await server.stop();
  }
}
if (only !== "nats") {
  const kafka = await startKafka();
  try {
    await kafka.createTopic("bench-orders", 4);
    for await (const result of kafkaComparisons(kafka.brokers)) show(result);
  } finally {
    await kafka.stop();
  }
}

process.exit(results.every(({ ratio, due }) => ratio >= due) ? 0 : 1);

function show(result: Comparison): void {
  const { title, due, ratio, cpuRatio, perSecond, heapGrowthMiB, rounds } = result;
  results.push(result);
  const rates = Object.entries(perSecond).map(([name, rate]) => `${name} ${rate.toLocaleString("en")}/s`);
  const verdict = ratio >= due ? "met" : "MISSED";
  console.log(`${title}: ${ratio.toFixed(2)} (due ${due}, ${verdict}), by processor time ${cpuRatio.toFixed(2)}`);
  console.log(`  ${rates.join(" · ")} · ${rounds} rounds · heap ${heapGrowthMiB.toFixed(1)} MiB`);
}
