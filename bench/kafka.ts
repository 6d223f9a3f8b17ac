// The client is imported where it is used: it loads on the Node it was built for alone.
import type Confluent from "@confluentinc/kafka-javascript";
import { createEventBus, type EventBus } from "waybill";
import { type KafkaDriver, kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { data, source, traceparent, within } from "./event.ts";
import { type Comparison, type Contender, compare } from "./harness.ts";

export const batch = 500;
export const turns = { count: 10_000, rounds: 21, warmUp: 3 };
export const consumeTurns = { count: 100_000, rounds: 7, warmUp: 1 };
export const topic = "bench-orders";

const native = async (): Promise<typeof Confluent> => (await import("@confluentinc/kafka-javascript")).default;

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
export const batches = (brokers: string): Promise<Comparison> =>
  againstSend(brokers, `Kafka: batches of ${batch}`, 0.95, publishing);

/** The same through `bus.batch`, event by event; a turn has 100,000. */
export const batcher = (brokers: string): Promise<Comparison> =>
  againstSend(brokers, `Kafka: bus.batch, ${batch} events each`, 0.9, adding, { count: 100_000, rounds: 7, warmUp: 1 });

async function againstSend(
  brokers: string,
  title: string,
  due: number,
  oursOver: (bus: EventBus) => Contender,
  lengths = turns,
): Promise<Comparison> {
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
    return await compare(title, due, [oursOver(bus), theirs], lengths);
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
export const consumption = (brokers: string): Promise<Comparison> =>
  againstConsume(brokers, "Kafka: consume, the loop looks at nothing", () => undefined);

/** The same against a loop that reads what an event consists of: its headers as text, and its data. */
export const decoded = (brokers: string): Promise<Comparison> =>
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

async function againstConsume(brokers: string, title: string, read: (record: RawRecord) => void): Promise<Comparison> {
  const confluent = await native();
  const newDriver = (): KafkaDriver => confluentDriver({ brokers: [brokers] });
  const bus = createEventBus({ source, transports: { kafka: kafkaTransport({ driver: newDriver() }) } });
  await fill(bus, consumeTurns.count);
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
  return await compare(title, 0.9, [consuming(newDriver), theirs], consumeTurns);
}

/** Prints how long the client's `eachMessage` takes for `count` records: run in a process of its own. */
export async function eachMessage(brokers: string, count: number): Promise<void> {
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
      eachMessage: async () => {
        if (++seen === 1) start = performance.now();
        else if (seen === count) resolve(performance.now() - start);
      },
    });
  });
  console.log(String(elapsedMs));
  await consumer.disconnect();
}
