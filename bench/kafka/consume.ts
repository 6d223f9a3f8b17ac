import { createEventBus, type EventBus } from "waybill";
import { type KafkaDriver, kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { source, topic } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";
import { scaled } from "../support/turns.ts";
import { batch, native, publishing } from "./produce.ts";

export const consumeTurns = { count: 100_000, rounds: 7, warmUp: 1 };

/** Fills the topic with what the consumers read. */
export async function fill(bus: EventBus, count: number): Promise<void> {
  await publishing(bus).run(count);
}

/** Times a consumer from the first of `count` records to the last, as a group of its own. */
export function consuming(newDriver: () => KafkaDriver): Contender {
  return {
    name: "bus.subscribe",
    run: async (count) => {
      const bus = createEventBus({ source, transports: { kafka: kafkaTransport({ driver: newDriver() }) } });
      let seen = 0;
      let start = 0;
      let all: (elapsedMs: number) => void = () => undefined;
      const done = new Promise<number>((resolve) => {
        all = resolve;
      });
      await bus.subscribe(
        topic,
        async () => {
          if (++seen === 1) start = performance.now();
          else if (seen === count) all(performance.now() - start);
        },
        { group: crypto.randomUUID(), concurrency: 64 },
      );
      const elapsedMs = await done;
      await bus.close();
      return elapsedMs;
    },
  };
}

/** Consuming through the bus, against the client's raw loop over what `consume` brings, which looks at none of it. */
export const consumption = (brokers: string): Promise<Row> =>
  againstConsume(brokers, "Kafka: consume, the loop looks at nothing", () => undefined);

/** The same against a loop that reads what an event consists of: its headers as text, and its data. */
export const decoded = (brokers: string): Promise<Row> =>
  againstConsume(brokers, "Kafka: consume, the loop reads headers and data", ({ headers = [], value }) => {
    const read: Record<string, string> = {};
    for (const header of headers) {
      for (const name in header) read[name] = String(header[name]);
    }
    if (read.ce_id === undefined || JSON.parse(String(value)) === null) throw new Error("not what was written");
  });

interface RawRecord {
  readonly headers?: readonly Record<string, Uint8Array | string>[];
  readonly value: Uint8Array | null;
}

async function againstConsume(brokers: string, title: string, read: (record: RawRecord) => void): Promise<Row> {
  const confluent = await native();
  const newDriver = (): KafkaDriver => confluentDriver({ brokers: [brokers] });
  const bus = createEventBus({ source, transports: { kafka: kafkaTransport({ driver: newDriver() }) } });
  await fill(bus, scaled(consumeTurns).count);
  await bus.close();
  const theirs: Contender = {
    name: `confluent consume(${batch})`,
    run: async (count) => {
      const settings = { "bootstrap.servers": brokers, "group.id": crypto.randomUUID(), "enable.auto.commit": true };
      const consumer = new confluent.KafkaConsumer(settings, { "auto.offset.reset": "earliest" });
      await new Promise((resolve) => consumer.connect({}, resolve));
      consumer.setDefaultConsumeTimeout(100);
      // Not in the client's own types.
      (
        consumer as unknown as { setDefaultIsTimeoutOnlyForFirstMessage(on: boolean): void }
      ).setDefaultIsTimeoutOnlyForFirstMessage(true);
      consumer.subscribe([topic]);
      let seen = 0;
      let start = 0;
      while (seen < count) {
        const records = await new Promise<readonly RawRecord[]>((resolve) => {
          consumer.consume(batch, (error: unknown, list: unknown) => resolve(error ? [] : (list as RawRecord[])));
        });
        if (seen === 0 && records.length > 0) start = performance.now();
        for (const record of records) read(record);
        seen += records.length;
      }
      const elapsedMs = performance.now() - start;
      await new Promise((resolve) => consumer.disconnect(resolve));
      return elapsedMs;
    },
  };
  return await compare(title, [consuming(newDriver), theirs], consumeTurns, { due: { atLeast: 0.9 } });
}

/** How long the client's KafkaJS-style `eachMessage` takes from the first of `count` records to the last, in milliseconds. */
export async function timeEachMessage(brokers: string, count: number): Promise<number> {
  const confluent = await native();
  const { Kafka, logLevel } = confluent.KafkaJS;
  const kafka = new Kafka({ kafkaJS: { brokers: [brokers], logLevel: logLevel.NOTHING } });
  const consumer = kafka.consumer({ kafkaJS: { groupId: crypto.randomUUID(), fromBeginning: true } });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  let seen = 0;
  let start = 0;
  const elapsedMs = await new Promise<number>((resolve) => {
    void consumer.run({
      // As many as the topic has partitions.
      partitionsConsumedConcurrently: 4,
      eachMessage: async () => {
        if (++seen === 1) start = performance.now();
        else if (seen === count) resolve(performance.now() - start);
      },
    });
  });
  await consumer.disconnect();
  return elapsedMs;
}

/** The same records through the bus and through `eachMessage`, whose handler looks at nothing. */
export async function eachMessage(brokers: string): Promise<Row> {
  const newDriver = (): KafkaDriver => confluentDriver({ brokers: [brokers] });
  const bus = createEventBus({ source, transports: { kafka: kafkaTransport({ driver: newDriver() }) } });
  await fill(bus, scaled(consumeTurns).count);
  await bus.close();
  const theirs: Contender = {
    name: "confluent eachMessage",
    run: (count) => timeEachMessage(brokers, count),
  };
  return await compare("Kafka: consume, event by event", [consuming(newDriver), theirs], consumeTurns, {
    due: { atLeast: 1.4 },
  });
}
