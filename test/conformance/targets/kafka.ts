import { type KafkaDriver, kafkaTransport } from "waybill/kafka";
import type { ConformanceFactory } from "waybill/testing";
import { createTopic } from "../../support/kafka-admin.ts";

/** Kafka: a topic of four partitions for each destination. */
export function kafkaTarget(openDriver: () => KafkaDriver, port: number): ConformanceFactory {
  return {
    reads: true,
    letters: true,
    patienceMs: 40_000,
    async provide(name) {
      await createTopic(port, name, 4);
      return name;
    },
    open: () => ({ transport: kafkaTransport({ driver: openDriver() }) }),
  };
}
