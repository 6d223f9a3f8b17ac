import confluent from "@confluentinc/kafka-javascript";
import { createEventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { data, source, traceparent, within } from "./event.ts";
import { type Comparison, compare } from "./harness.ts";

const batch = 500;
const turns = { count: 10_000, rounds: 21, warmUp: 3 };
const topic = "bench-orders";

function rawMessage(n: number): { key: string; value: string; headers: Record<string, string> } {
  const key = `key-${n % 100}`;
  return {
    key,
    value: JSON.stringify(data),
    headers: {
      ce_specversion: "1.0",
      ce_type: topic,
      ce_source: source,
      ce_id: crypto.randomUUID(),
      ce_time: new Date().toISOString(),
      ce_partitionkey: key,
      "content-type": "application/json",
      traceparent,
    },
  };
}

/** Producing to Kafka in batches, against the client's own `send` with the same headers and settings. */
export async function batches(brokers: string): Promise<Comparison> {
  const client = new confluent.KafkaJS.Kafka({
    kafkaJS: { brokers: [brokers], logLevel: confluent.KafkaJS.logLevel.NOTHING },
  });
  const producer = client.producer({
    kafkaJS: { idempotent: true, acks: -1, compression: "snappy" as never },
  });
  await producer.connect();
  const bus = createEventBus({
    source,
    transports: { kafka: kafkaTransport({ driver: confluentDriver({ brokers: [brokers] }) }) },
  });
  const ours = {
    name: "bus.publishAll",
    run: async (total: number) => {
      for (let sent = 0; sent < total; sent += batch) {
        const items = Array.from({ length: batch }, (_, n) => ({
          type: topic,
          data,
          key: `key-${n % 100}`,
          context: within,
        }));
        await bus.publishAll(items);
      }
    },
  };
  const theirs = {
    name: "confluent send",
    run: async (total: number) => {
      for (let sent = 0; sent < total; sent += batch) {
        await producer.send({ topic, messages: Array.from({ length: batch }, (_, n) => rawMessage(n)) });
      }
    },
  };
  try {
    return await compare(`Kafka: batches of ${batch}`, 0.9, [ours, theirs], turns);
  } finally {
    await producer.disconnect();
    await bus.close();
  }
}
