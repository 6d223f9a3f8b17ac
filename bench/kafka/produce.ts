// The client is imported where it is used: it loads on the Node it was built for alone.
import type Confluent from "@confluentinc/kafka-javascript";
import { createEventBus, type EventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { data, source, topic, traceparent, within } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";
import type { Turns } from "../support/turns.ts";

export const batch = 500;
export const turns = { count: 10_000, rounds: 21, warmUp: 3 };

export const native = async (): Promise<typeof Confluent> => (await import("@confluentinc/kafka-javascript")).default;

export function rawMessage(n: number): { key: string; value: string; headers: Record<string, string> } {
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
export const batches = (brokers: string): Promise<Row> =>
  againstSend(brokers, `Kafka: batches of ${batch}`, 0.95, publishing);

/** The same through `bus.batch`, event by event; a turn has 100,000. */
export const batcher = (brokers: string): Promise<Row> =>
  againstSend(brokers, `Kafka: bus.batch, ${batch} events each`, 0.9, adding, { count: 100_000, rounds: 7, warmUp: 1 });

async function againstSend(
  brokers: string,
  title: string,
  due: number,
  oursOver: (bus: EventBus) => Contender,
  lengths: Turns = turns,
): Promise<Row> {
  const confluent = await native();
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
  const theirs = {
    name: "confluent send",
    run: async (total: number) => {
      for (let sent = 0; sent < total; sent += batch) {
        await producer.send({ topic, messages: Array.from({ length: batch }, (_, n) => rawMessage(n)) });
      }
    },
  };
  try {
    return await compare(title, [oursOver(bus), theirs], lengths, { due: { atLeast: due } });
  } finally {
    await producer.disconnect();
    await bus.close();
  }
}

/** Events one by one, which the bus puts into batches; one batch on its way at a time, as with `send`. */
function adding(bus: EventBus): Contender {
  const collected = bus.batch({ maxEvents: batch });
  return {
    name: "bus.batch",
    run: async (total) => {
      for (let sent = 0; sent < total; sent += 5_000) {
        const added: Promise<unknown>[] = [];
        for (let n = 0; n < 5_000; n++) {
          added.push(collected.add(topic, data, { key: `key-${n % 100}`, context: within }));
        }
        await Promise.all(added);
      }
    },
  };
}

/** Batches through a bus. */
export function publishing(bus: EventBus): Contender {
  return {
    name: "bus.publishAll",
    run: async (total) => {
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
}
