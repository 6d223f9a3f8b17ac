import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { openConsumer } from "../../../adapters/kafka/confluent/consumer.ts";
import { openProducer } from "../../../adapters/kafka/confluent/producer.ts";
import type { Vendor, VendorCallback } from "../../../adapters/kafka/confluent/vendor.ts";
import type { ConsumerEvents, ProducerEvents } from "../../../adapters/kafka/driver.ts";
import { EventError } from "../../../core/errors.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What librdkafka's binding keeps of its clients as long as the process lives. */
const kept: unknown[] = [];

let unreachable = false;

/** A FAKE client of librdkafka: no network. As the real one, it keeps its callbacks also when it is closed. */
class FakeClient {
  readonly listeners: ((error: unknown) => void)[] = [];

  constructor(config: Record<string, unknown>) {
    kept.push(this, config);
  }
  on(_: string, listener: (error: unknown) => void): void {
    this.listeners.push(listener);
  }
  connect(_: unknown, done: VendorCallback): void {
    setTimeout(() => done(unreachable ? Object.assign(new Error("no broker"), { code: -195 }) : null, undefined));
  }
  getMetadata(_: unknown, done: VendorCallback): void {
    setTimeout(() => done(null, { topics: [{ name: "t", partitions: [{ id: 0 }] }] }));
  }
  consume(_: number, done: VendorCallback): void {
    setTimeout(() => done(Object.assign(new Error("no poll"), { code: -185 }), undefined));
  }
  disconnect(...args: unknown[]): void {
    setTimeout(() => (args.at(-1) as VendorCallback)(null, undefined));
  }
  setDefaultConsumeTimeout(): void {}
  setDefaultIsTimeoutOnlyForFirstMessage(): void {}
  subscribe(): void {}
  unsubscribe(): void {}
  poll(): void {}
  setPollInBackground(): void {}
}

const vendor = { KafkaConsumer: FakeClient, Producer: FakeClient } as unknown as Vendor;
const options = { brokers: "127.0.0.1:1" };

/** Events that a handler, its store and all it refers to hang from. */
function listening(): ConsumerEvents & ProducerEvents {
  const none = (): void => undefined;
  return { connected: none, disconnected: none, failed: none, fatal: none, assigned: none, revoking: async () => {} };
}

const clients: Record<string, (events: ConsumerEvents & ProducerEvents) => Promise<void>> = {
  async consumer(events) {
    const source = { topics: ["t"], group: "g", from: "earliest" as const };
    const consumer = await openConsumer(vendor, options, source, events);
    const poller = {
      events,
      async run(): Promise<void> {
        await consumer.poll(1);
      },
    };
    // Whose stack keeps the objects whose methods it names.
    await expect(poller.run()).rejects.toBeInstanceOf(EventError);
    await consumer.close();
  },
  async producer(events) {
    const producer = await openProducer(vendor, options, 1_000, events);
    await producer.close(100);
  },
  async "producer that never connected"(events) {
    unreachable = true;
    await expect(openProducer(vendor, options, 1_000, events)).rejects.toMatchObject({ code: "unreachable" });
    unreachable = false;
  },
};

test.each(Object.entries(clients))(
  "a closed %s keeps nothing of who listened, though its callbacks stay",
  async (_, use) => {
    let events: ReturnType<typeof listening> | undefined = listening();
    const held = new WeakRef(events);
    await use(events);
    events = undefined;
    // A WeakRef holds until the turn ends in which it was made.
    for (let n = 0; n < 20 && held.deref(); n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      collect();
    }
    expect(held.deref()).toBeUndefined();
    expect(kept.length).toBeGreaterThan(0);
  },
);
