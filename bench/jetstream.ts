import { AckPolicy, type JetStreamClient, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { createEventBus, type EventBus, type Subscription } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { data, source, subject, traceparent, within } from "./event.ts";
import type { Row } from "./result.ts";
import { type Contender, compare } from "./support/harness.ts";
import { scaled } from "./support/turns.ts";

const publishers = 16;
const window = 256;
const publishing = { count: 8_192, rounds: 21, warmUp: 3 };
const consuming = { count: 16_384, rounds: 21, warmUp: 3 };
const concurrency = 256;
const encoder = new TextEncoder();

export async function createStream(connection: NatsConnection, name: string): Promise<void> {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: ["bench.>"], max_msgs: 100_000 });
}

/** Runs so many publishers side by side, each with its share of the window on its way at a time. */
export async function inParallel(total: number, one: () => Promise<unknown>): Promise<void> {
  const share = window / publishers;
  const publisher = async (): Promise<void> => {
    for (let sent = 0; sent < total / publishers; sent += share) {
      await Promise.all(Array.from({ length: share }, one));
    }
  };
  await Promise.all(Array.from({ length: publishers }, publisher));
}

/** The message as one writes it by hand, recognised by its id when it comes twice. */
export function rawPublish(client: JetStreamClient): Promise<unknown> {
  const id = crypto.randomUUID();
  const fields = headers();
  fields.append("ce-specversion", "1.0");
  fields.append("ce-type", subject);
  fields.append("ce-source", source);
  fields.append("ce-id", id);
  fields.append("ce-time", new Date().toISOString());
  fields.append("ce-datacontenttype", "application/json");
  fields.append("traceparent", traceparent);
  return client.publish(subject, encoder.encode(JSON.stringify(data)), { headers: fields, msgID: id });
}

/** Confirmed publishing against the client's own `publish` of a window of the same size, with its defaults. */
export async function publish(connection: NatsConnection): Promise<Row> {
  await createStream(connection, "BENCH");
  const client = jetstream(connection);
  const bus = createEventBus({ source, transports: { jetstream: jetstreamTransport({ connection }) } });
  const ours: Contender = {
    name: "bus.publish",
    run: (total) => inParallel(total, () => bus.publish(subject, data, { context: within })),
  };
  const theirs: Contender = { name: "js.publish", run: (total) => inParallel(total, () => rawPublish(client)) };
  const measure = `JetStream: publish, ${window} in flight`;
  return compare(measure, [ours, theirs], publishing, { due: { atLeast: 1.2 } });
}

/** A group for each turn that handles and settles so many of the stream's messages. */
export function subscribing(bus: EventBus): Contender {
  return {
    name: "bus.subscribe",
    run: async (total) => {
      let left = total;
      let subscription: Subscription | undefined;
      await new Promise<void>((resolve, reject) => {
        const handle = (event: { readonly id: string; readonly data: unknown }): void => {
          if (event.data !== undefined && --left === 0) resolve();
        };
        const listening = bus.subscribe(subject, handle, { group: crypto.randomUUID(), concurrency });
        listening.then((opened) => {
          subscription = opened;
        }, reject);
      });
      await subscription?.close();
    },
  };
}

/**
 * A group that handles and settles all that a stream has, against the client's own `consume()` and `ack()` of the same
 * messages. Each turn has a durable of its own and ends when the server has every ack.
 */
export async function consume(connection: NatsConnection): Promise<Row> {
  const { count } = scaled(consuming);
  await createStream(connection, "BENCH");
  const bus = createEventBus({ source, transports: { jetstream: jetstreamTransport({ connection }) } });
  await inParallel(count, () => bus.publish(subject, data, { context: within }));
  const manager = await jetstreamManager(connection);
  const decoder = new TextDecoder();
  let turn = 0;
  const theirs: Contender = {
    name: "consume() and ack()",
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
      let left = total;
      for await (const message of messages) {
        const id = message.headers?.get("ce-id");
        const value: unknown = JSON.parse(decoder.decode(message.data));
        message.ack();
        if (id !== undefined && value !== undefined && --left === 0) break;
      }
      await connection.flush();
    },
  };
  return compare("JetStream: consume and settle", [subscribing(bus), theirs], consuming, { due: { atLeast: 0.9 } });
}
