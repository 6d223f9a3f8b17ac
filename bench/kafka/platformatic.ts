// Runs on Node 24, see scripts/bench.mjs.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createEventBus, type EventBus } from "waybill";
import { type KafkaDriver, kafkaTransport } from "waybill/kafka";
import { platformaticDriver } from "waybill/kafka/platformatic";
import { source, topic } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";
import { scaled } from "../support/turns.ts";
import { consumeTurns, consuming, fill } from "./consume.ts";
import { batch, publishing, rawMessage, turns } from "./produce.ts";

const busOf = (driver: KafkaDriver): EventBus =>
  createEventBus({ source, transports: { kafka: kafkaTransport({ driver }) } });

/** Producing in batches, against the client's own `send` with the same headers and settings. */
export async function platformaticBatches(brokers: string): Promise<Row> {
  const { compatibilityPartitioner, Producer, stringSerializers } = await import("@platformatic/kafka");
  const producer = new Producer({
    clientId: "raw",
    bootstrapBrokers: [brokers],
    idempotent: true,
    acks: -1,
    compression: "snappy",
    serializers: stringSerializers,
    partitioner: compatibilityPartitioner,
  });
  const bus = busOf(platformaticDriver({ brokers }));
  const theirs: Contender = {
    name: "platformatic send",
    run: async (total) => {
      for (let sent = 0; sent < total; sent += batch) {
        await producer.send({ messages: Array.from({ length: batch }, (_, n) => ({ topic, ...rawMessage(n) })) });
      }
    },
  };
  try {
    return await compare(`Kafka, platformatic: batches of ${batch}`, [publishing(bus), theirs], turns, {
      due: { atLeast: 0.95 },
    });
  } finally {
    await producer.close();
    await bus.close();
  }
}

/** Consuming through the bus, against the native client's `eachMessage` on the Node that client was built for. */
export async function platformaticConsumption(brokers: string): Promise<Row> {
  const newDriver = (): KafkaDriver => platformaticDriver({ brokers });
  const bus = busOf(newDriver());
  await fill(bus, scaled(consumeTurns).count);
  await bus.close();
  const node = process.env.BENCH_NODE ?? "node";
  const theirs: Contender = {
    name: "confluent eachMessage",
    run: async (count) => {
      const args = [process.argv[1]!, "each-message", brokers, String(count)];
      return Number((await promisify(execFile)(node, args)).stdout);
    },
  };
  return await compare("Kafka, platformatic: consume", [consuming(newDriver), theirs], consumeTurns, {
    due: { atLeast: 3 },
    elsewhere: true,
  });
}
