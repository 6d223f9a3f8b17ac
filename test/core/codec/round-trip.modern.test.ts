import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { kafkaTransport } from "waybill/kafka";
import { platformaticDriver } from "waybill/kafka/platformatic";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { brokerRoundTripCases } from "./broker-round-trip-cases.ts";

let kafka: KafkaBroker;

beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.stop());

brokerRoundTripCases("Kafka by @platformatic/kafka", async () => {
  const destination = `t-${randomUUID()}`;
  await kafka.createTopic(destination, 1);
  return { transport: kafkaTransport({ driver: platformaticDriver({ brokers: kafka.brokers }) }), destination };
});
