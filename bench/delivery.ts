import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { createEventBus, type EventBus, exponentialBackoff, type SubscribeOptions } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { memoryIdempotency } from "waybill/memory";
import { data, source, subject, topic, within } from "./event.ts";
import { createStream, inParallel } from "./jetstream.ts";
import { fill } from "./kafka/consume.ts";
import { batch, native } from "./kafka/produce.ts";
import type { Row } from "./result.ts";
import { type Contender, compare } from "./support/harness.ts";
import { scaled } from "./support/turns.ts";

const overKafkaTurns = { count: 100_000, rounds: 7, warmUp: 1 };
const overJetStreamTurns = { count: 16_384, rounds: 21, warmUp: 3 };
const due = { due: { atLeast: 0.8 } };

/** A subscription with all of delivery: attempts, a limit of time, dead letters, effects once, key order where there is one. */
export function guarded(name: string, newBus: () => EventBus, type: string, destination: string): Contender {
  return {
    name,
    run: async (count) => {
      const bus = newBus();
      let seen = 0;
      let start = 0;
      let all: (elapsedMs: number) => void = () => undefined;
      const done = new Promise<number>((resolve) => {
        all = resolve;
      });
      const options: SubscribeOptions = {
        destination,
        group: crypto.randomUUID(),
        concurrency: 64,
        retry: { attempts: 5, backoff: exponentialBackoff(), timeoutMs: 30_000 },
        idempotency: { store: memoryIdempotency({ maxKeys: count }) },
      };
      const subscription = await bus.subscribe(
        type,
        async () => {
          if (++seen === 1) start = performance.now();
          else if (seen === count) all(performance.now() - start);
        },
        options,
      );
      const elapsedMs = await done;
      await subscription.close();
      await bus.close();
      return elapsedMs;
    },
  };
}

/** Reads each record, handles it and commits after each batch. */
async function rawLoop(brokers: string): Promise<Contender> {
  const confluent = await native();
  return {
    name: "consume, handle, commit",
    run: async (count) => {
      const settings = { "bootstrap.servers": brokers, "group.id": crypto.randomUUID(), "enable.auto.commit": false };
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
      const handle = async (read: Record<string, string>, value: unknown): Promise<void> => {
        if (read.ce_id === undefined || value === null) throw new Error("not what was written");
        seen++;
      };
      while (seen < count) {
        const records = await new Promise<readonly RawRecord[]>((resolve) => {
          consumer.consume(batch, (error: unknown, list: unknown) => resolve(error ? [] : (list as RawRecord[])));
        });
        if (seen === 0 && records.length > 0) start = performance.now();
        for (const { headers = [], value } of records) {
          const read: Record<string, string> = {};
          for (const header of headers) for (const name in header) read[name] = String(header[name]);
          await handle(read, JSON.parse(String(value)));
        }
        if (records.length > 0) consumer.commit();
      }
      const elapsedMs = performance.now() - start;
      await new Promise((resolve) => consumer.disconnect(resolve));
      return elapsedMs;
    },
  };
}

/** Kafka: with key order, against a raw loop. */
export async function overKafka(brokers: string): Promise<Row> {
  const newBus = (): EventBus =>
    createEventBus({
      source,
      transports: { kafka: kafkaTransport({ driver: confluentDriver({ brokers: [brokers] }) }) },
    });
  const bus = newBus();
  await fill(bus, scaled(overKafkaTurns).count);
  await bus.close();
  const ours = guarded("bus.subscribe", newBus, "**", topic);
  const title = "Kafka: policy, idempotency and key order";
  return await compare(title, [ours, await rawLoop(brokers)], overKafkaTurns, due);
}

interface RawRecord {
  readonly headers?: readonly Record<string, Uint8Array | string>[];
  readonly value: Uint8Array | null;
}

/** JetStream: without key order, which takes partitions, against the client's own `consume()` and `ack()`. */
export async function overJetStream(connection: NatsConnection): Promise<Row> {
  const { count } = scaled(overJetStreamTurns);
  await createStream(connection, "BENCH");
  const newBus = (): EventBus =>
    createEventBus({ source, transports: { jetstream: jetstreamTransport({ connection }) } });
  const bus = newBus();
  await inParallel(count, () => bus.publish(subject, data, { context: within }));
  const manager = await jetstreamManager(connection);
  const decoder = new TextDecoder();
  let turn = 0;
  const theirs: Contender = {
    name: "consume(), handle, ack()",
    run: async (total) => {
      const name = `theirs-${turn++}`;
      await manager.consumers.add("BENCH", {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        filter_subject: subject,
        max_ack_pending: 10_000,
      });
      const consumer = await jetstream(connection).consumers.get("BENCH", name);
      const messages = await consumer.consume();
      let seen = 0;
      let start = 0;
      const handle = async (id: string | undefined, value: unknown): Promise<void> => {
        if (id === undefined || value === undefined) throw new Error("not what was written");
        if (++seen === 1) start = performance.now();
      };
      for await (const message of messages) {
        await handle(message.headers?.get("ce-id"), JSON.parse(decoder.decode(message.data)));
        message.ack();
        if (seen === total) break;
      }
      await connection.flush();
      return performance.now() - start;
    },
  };
  const ours = guarded("bus.subscribe", newBus, subject, subject);
  return await compare("JetStream: policy and idempotency", [ours, theirs], overJetStreamTurns, due);
}
