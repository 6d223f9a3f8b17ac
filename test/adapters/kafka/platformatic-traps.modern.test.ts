// What @platformatic/kafka does by itself and the driver must not pass on, each against a real broker.
import { randomUUID } from "node:crypto";
import { Producer } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type {
  AssignedPartition,
  ConsumerEvents,
  IncomingRecord,
  KafkaConsumer,
} from "../../../adapters/kafka/driver.ts";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { platformaticDriver } from "../../../adapters/kafka/platformatic/index.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Transport } from "../../../core/transport.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";

let broker: KafkaBroker;
let transport: Transport;
const consumers: KafkaConsumer[] = [];

beforeAll(async () => {
  broker = await startKafka();
  transport = kafkaTransport({ driver: platformaticDriver({ brokers: broker.brokers }) });
});
afterAll(async () => {
  await Promise.all(consumers.map((each) => each.close()));
  await transport?.close({ deadlineMs: 1_000 });
  await broker?.stop();
});

async function topicOf(partitions: number, config?: Record<string, string>): Promise<string> {
  const topic = `t-${randomUUID()}`;
  await broker.createTopic(topic, partitions, config);
  return topic;
}

const message = (destination: string, body: OutgoingMessage["body"], key?: string): OutgoingMessage => ({
  destination,
  headers: [],
  body,
  key,
});
const text = (record: IncomingRecord): string => new TextDecoder().decode(record.value!.subarray(0, 20));

/** A consumer of the driver itself, and what it was given. */
async function open(topic: string, group?: string): Promise<{ consumer: KafkaConsumer; given: AssignedPartition[] }> {
  const given: AssignedPartition[] = [];
  const events: ConsumerEvents = {
    connected: () => undefined,
    disconnected: () => undefined,
    failed: () => undefined,
    assigned: (partitions) => void given.push(...partitions),
    revoking: async () => undefined,
  };
  const driver = platformaticDriver({ brokers: broker.brokers });
  const consumer = await driver.openConsumer({ topics: [topic], group, from: "earliest" }, events);
  consumers.push(consumer);
  return { consumer, given };
}

async function poll(consumer: KafkaConsumer, count: number): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = [];
  for (const until = Date.now() + 30_000; records.length < count && Date.now() < until; ) {
    records.push(...(await consumer.poll(500)));
  }
  return records;
}

describe("aborted transactions", () => {
  /** Writes transactions of one producer, each of `count` records of `bytes`, and ends them as told. */
  async function write(
    topic: string,
    ends: readonly ("abort" | "commit")[],
    count: number,
    bytes: number,
  ): Promise<void> {
    const options = { clientId: "raw", bootstrapBrokers: [broker.brokers], idempotent: true, retries: 20 };
    const producer = new Producer({ ...options, transactionalId: topic, producerId: -1n, producerEpoch: -1 });
    for (const [n, end] of ends.entries()) {
      const transaction = await producer.beginTransaction();
      for (let at = 0; at < count; at++) {
        const value = Buffer.alloc(bytes, `${end} ${n} ${at} `);
        await transaction.send({ messages: [{ topic, partition: 0, value }] });
      }
      await transaction[end]();
    }
    await producer.close();
  }

  it("are left out when one fetch holds several of one producer", async () => {
    const topic = await topicOf(1);
    await write(topic, ["abort", "commit", "abort", "commit"], 2, 20);
    const { consumer } = await open(topic);
    const seen = (await poll(consumer, 4)).concat(await consumer.poll(10)).map(text);
    expect(seen.map((each) => each.slice(0, 10))).toEqual(["commit 1 0", "commit 1 1", "commit 3 0", "commit 3 1"]);
  });

  it("are left out when they end in a later fetch, and what comes after them is read", async () => {
    const topic = await topicOf(1);
    // Three fetches long.
    await write(topic, ["abort", "commit"], 8, 100 * 1024);
    const { consumer } = await open(topic);
    const seen = (await poll(consumer, 8)).concat(await consumer.poll(10)).map(text);
    expect(seen.map((each) => each.slice(0, 10))).toEqual(Array.from({ length: 8 }, (_, n) => `commit 1 ${n}`));
  });
});

describe("a fetch", () => {
  it("begins in the middle of a batch where the group stands there", async () => {
    const topic = await topicOf(1);
    await transport.publish(Array.from({ length: 10 }, (_, n) => message(topic, String(n))));
    const first = await open(topic, topic);
    await poll(first.consumer, 10);
    await first.consumer.commit([{ topic, partition: 0, offset: 6 }]);
    await first.consumer.close();
    const { consumer, given } = await open(topic, topic);
    expect((await poll(consumer, 4)).map(({ offset }) => offset)).toEqual([6, 7, 8, 9]);
    expect(given).toEqual([{ topic, partition: 0, start: 6, uncommitted: false }]);
  });

  it("brings timestamps, absent values and headers as they were written", async () => {
    const topic = await topicOf(1);
    const before = Date.now();
    await transport.publish([{ ...message(topic, null), headers: ["a", "", "a", new Uint8Array([0, 255])] }]);
    const { consumer } = await open(topic);
    const [record] = await poll(consumer, 1);
    expect(record).toMatchObject({ key: null, value: null });
    expect(record!.headers.map((each) => (typeof each === "string" ? each : [...each!]))).toEqual([
      "a",
      [],
      "a",
      [0, 255],
    ]);
    expect(record!.timestampMs).toBeGreaterThanOrEqual(before);
    expect(record!.timestampMs).toBeLessThanOrEqual(Date.now());
  });
});

describe("a send", () => {
  it("deals messages without a key out to every partition", async () => {
    const topic = await topicOf(4);
    const outcomes = await transport.publish(Array.from({ length: 8 }, (_, n) => message(topic, String(n))));
    const partitions = outcomes.map((each) => (each.stored ? each.at.partition : -1));
    expect([0, 1, 2, 3].map((p) => partitions.filter((each) => each === p).length)).toEqual([2, 2, 2, 2]);
  });

  it("stores what stands beside a message that is too large for its topic", async () => {
    const narrow = await topicOf(2, { "max.message.bytes": "2000" });
    const wide = await topicOf(1);
    const large = crypto.getRandomValues(new Uint8Array(5_000));
    const outcomes = await transport.publish([
      message(narrow, "0", "a"),
      message(wide, "1"),
      message(narrow, large, "a"),
      message(narrow, "3", "a"),
      message(wide, large),
    ]);
    expect(outcomes).toMatchObject([
      { stored: true, at: { offset: 0 } },
      { stored: true, at: { offset: 0 } },
      { stored: false, outcome: "failed", retrySafe: true, error: { code: "too-large" } },
      { stored: true, at: { offset: 1 } },
      { stored: true, at: { offset: 1 } },
    ]);
  });

  it("keeps the order and stores each once while the broker is killed under it", async () => {
    const topic = await topicOf(2);
    const publishing: Promise<unknown>[] = [];
    let n = 0;
    const timer = setInterval(() => {
      const batch = Array.from({ length: 20 }, () => message(topic, String(n++), n % 2 ? "a" : "order-1"));
      publishing.push(transport.publish(batch));
    }, 10);
    await vi.waitFor(() => expect(n).toBeGreaterThan(1_000), 20_000);
    await broker.kill();
    await vi.waitFor(() => expect(n).toBeGreaterThan(3_000), 60_000);
    clearInterval(timer);
    await broker.restart();
    for (const outcomes of await Promise.all(publishing)) {
      for (const outcome of outcomes as { stored: boolean }[]) expect(outcome).toMatchObject({ stored: true });
    }
    const { consumer } = await open(topic);
    const records = (await poll(consumer, n)).concat(await consumer.poll(10));
    expect(records.length).toBe(n);
    for (const partition of [0, 1]) {
      const bodies = records.filter((each) => each.partition === partition).map((each) => Number(text(each)));
      expect(bodies).toEqual(bodies.toSorted((a, b) => a - b));
    }
  });

  it("gives up what it cannot confirm in time as unknown, and sends what comes later", async () => {
    const topic = await topicOf(1);
    const driver = platformaticDriver({ brokers: broker.brokers, deliveryTimeoutMs: 1_500 });
    const short = kafkaTransport({ driver });
    await short.publish([message(topic, "before")]);
    broker.freeze();
    const sent = short.publish([message(topic, "sent")]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const waiting = short.publish([message(topic, "waits")]);
    expect(await sent).toMatchObject([
      { stored: false, outcome: "unknown", retrySafe: false, error: { code: "timeout" } },
    ]);
    expect(await waiting).toMatchObject([{ stored: false, error: { code: "timeout" } }]);
    broker.thaw();
    await vi.waitFor(async () => {
      expect(await short.publish([message(topic, "after")])).toMatchObject([{ stored: true }]);
    }, 30_000);
    await short.close();
  });
});
