import { createEventBus, type EventBus } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { data, source, topic, within } from "../event.ts";
import type { Row } from "../result.ts";
import { type Contender, compare } from "../support/harness.ts";
import { nest } from "../support/nest.ts";
import { scaled } from "../support/turns.ts";
import { consumeTurns, consuming, fill } from "./consume.ts";

/** So many events on their way at a time, each awaited by itself. */
const inFlight = 500;
const turns = { count: 2_000, rounds: 15, warmUp: 3 };

const newBus = (brokers: string, config: Readonly<Record<string, string>> = {}): EventBus =>
  createEventBus({
    source,
    transports: { kafka: kafkaTransport({ driver: confluentDriver({ brokers: [brokers], config }) }) },
  });

function inWindows(name: string, one: (n: number) => Promise<unknown>): Contender {
  return {
    name,
    run: async (total) => {
      for (let sent = 0; sent < total; sent += inFlight) {
        await Promise.all(Array.from({ length: inFlight }, (_, n) => one(n)));
      }
    },
  };
}

/** Events that are confirmed one by one, against NestJS's `emit`, which sends a request for each. */
export async function emit(brokers: string): Promise<Row> {
  const bus = newBus(brokers);
  const client = await (await nest()).kafkaClient(brokers);
  const ours = inWindows("bus.publish", (n) => bus.publish(topic, data, { key: `key-${n % 100}`, context: within }));
  const theirs = inWindows("NestJS emit", (n) => client.emitted(topic, { key: `key-${n % 100}`, value: data }));
  try {
    return await compare(`Kafka: publish, ${inFlight} in flight, against emit`, [ours, theirs], turns, {
      due: { atLeast: 5 },
      note: "NestJS's producer is not idempotent by default, and sends no headers",
    });
  } finally {
    await client.close();
    await bus.close();
  }
}

/** The records of a topic through the bus, and through a NestJS service with its defaults. */
export async function consume(brokers: string): Promise<Row> {
  // KafkaJS has no snappy.
  const bus = newBus(brokers, { "compression.codec": "none" });
  await fill(bus, scaled(consumeTurns).count);
  await bus.close();
  const { kafkaEvents } = await nest();
  const theirs: Contender = {
    name: "NestJS @EventPattern",
    run: async (count) => {
      let seen = 0;
      let start = 0;
      let all: (elapsedMs: number) => void = () => undefined;
      const done = new Promise<number>((resolve) => {
        all = resolve;
      });
      const service = await kafkaEvents(brokers, topic, crypto.randomUUID(), () => {
        if (++seen === 1) start = performance.now();
        else if (seen === count) all(performance.now() - start);
      });
      const elapsedMs = await done;
      await service.close();
      return elapsedMs;
    },
  };
  const ours = consuming(() => confluentDriver({ brokers: [brokers] }));
  return await compare("Kafka: consume, against @EventPattern", [ours, theirs], consumeTurns, {
    note: "uncompressed records",
  });
}
