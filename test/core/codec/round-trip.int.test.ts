import { randomUUID } from "node:crypto";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll } from "vitest";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { natsTransport } from "waybill/nats";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { brokerRoundTripCases } from "./broker-round-trip-cases.ts";

let nats: NatsServer;
let kafka: KafkaBroker;
let connection: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  [nats, kafka] = await Promise.all([startNatsServer({ jetstream: true }), startKafka()]);
  connection = await connect({ servers: nats.url });
});
afterAll(async () => {
  await connection?.close();
  await Promise.all([nats?.stop(), kafka?.stop()]);
});

brokerRoundTripCases("NATS", async () => ({
  transport: natsTransport({ connection }),
  destination: `t.${randomUUID()}`,
  volatile: true,
}));

brokerRoundTripCases("JetStream", async () => {
  const name = `s-${randomUUID()}`;
  const transport = jetstreamTransport({ connection, streams: [{ name, subjects: [`${name}.>`] }] });
  return { transport, destination: `${name}.events` };
});

brokerRoundTripCases("Kafka by librdkafka", async () => {
  const destination = `t-${randomUUID()}`;
  await kafka.createTopic(destination, 1);
  return { transport: kafkaTransport({ driver: confluentDriver({ brokers: kafka.brokers }) }), destination };
});
