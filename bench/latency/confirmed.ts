import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { createEventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { data, source, subject, topic, traceparent, within } from "../event.ts";
import { createStream, rawPublish as rawPublishStored } from "../jetstream.ts";
import { native, rawMessage } from "../kafka/produce.ts";
import { rawPublish, transports } from "../nats/publish.ts";
import type { Row } from "../result.ts";
import { latencies } from "../support/latency.ts";
import { nest } from "../support/nest.ts";

const turns = { count: 300, rounds: 20, warmUp: 5 };
/** A Kafka broker answers in milliseconds. */
const kafkaTurns = { count: 100, rounds: 10, warmUp: 2 };

/** From `publish` to the server's PONG, against the client's own `publish` and `flush`. */
export function overCoreNats(connection: NatsConnection): Promise<readonly Row[]> {
  const bus = createEventBus({ source, transports: transports(connection) });
  const raw = async (): Promise<void> => {
    rawPublish(connection, crypto.randomUUID(), (fields) => fields.append("traceparent", traceparent));
    await connection.flush();
  };
  const ours = { name: "bus.publish", one: () => bus.publish(subject, data, { context: within }) };
  return latencies("NATS: publish, confirmed", [ours, { name: "publish() and flush()", one: raw }], turns);
}

/** From `publish` to the stream's answer, against the client's own. */
export async function overJetStream(connection: NatsConnection): Promise<readonly Row[]> {
  await createStream(connection, "BENCH");
  const client = jetstream(connection);
  const bus = createEventBus({ source, transports: { jetstream: jetstreamTransport({ connection }) } });
  const ours = { name: "bus.publish", one: () => bus.publish(subject, data, { context: within }) };
  const theirs = { name: "js.publish", one: () => rawPublishStored(client) };
  return await latencies("JetStream: publish, confirmed", [ours, theirs], turns);
}

/** From `publish` to the broker's answer, against the client's own `send` and NestJS's `emit`. */
export async function overKafka(brokers: string): Promise<readonly Row[]> {
  const { Kafka, logLevel } = (await native()).KafkaJS;
  const producer = new Kafka({ kafkaJS: { brokers: [brokers], logLevel: logLevel.NOTHING } }).producer({
    kafkaJS: { idempotent: true, acks: -1 },
  });
  await producer.connect();
  const client = await (await nest()).kafkaClient(brokers);
  const bus = createEventBus({
    source,
    transports: { kafka: kafkaTransport({ driver: confluentDriver({ brokers: [brokers] }) }) },
  });
  try {
    return await latencies(
      "Kafka: publish, confirmed",
      [
        { name: "bus.publish", one: () => bus.publish(topic, data, { key: "key-1", context: within }) },
        { name: "confluent send", one: () => producer.send({ topic, messages: [rawMessage(1)] }) },
        { name: "NestJS emit", one: () => client.emitted(topic, { key: "key-1", value: data }) },
      ],
      kafkaTurns,
      "ours and Confluent's client wait a few milliseconds for more to send along (linger), NestJS does not",
    );
  } finally {
    await bus.close();
    await client.close();
    await producer.disconnect();
  }
}
