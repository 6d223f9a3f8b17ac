/**
 * @module
 * Kafka by `@confluentinc/kafka-javascript` (librdkafka), for Node. The package is an optional peer, loaded when the
 * first client is opened.
 */
import type { KafkaDriver } from "../driver.ts";
import { encode } from "../utf8.ts";
import { type ConfluentDriverOptions, checkOptions } from "./config.ts";
import { openConsumer } from "./consumer.ts";
import { openProducer } from "./producer.ts";
import { loadVendor } from "./vendor.ts";

export type { DriverOptions } from "../driver-options.ts";
export type { GroupOptions } from "../group-options.ts";
export type { BearerSasl, PasswordSasl, SaslOptions, SecurityOptions, TlsOptions } from "../security.ts";
export type { ConfluentDriverOptions } from "./config.ts";

/**
 * Drives Kafka through librdkafka: acks from all replicas, idempotent, snappy, partitions by Java's murmur2,
 * cooperative-sticky groups. Nothing connects before the transport publishes or consumes.
 *
 * Throws `invalid-option` for options that cannot work.
 *
 * @example
 * ```ts
 * import { kafkaTransport } from "waybill/kafka";
 * import { confluentDriver } from "waybill/kafka/confluent";
 *
 * const kafka = kafkaTransport({ driver: confluentDriver({ brokers: ["127.0.0.1:9092"], clientId: "shop" }) });
 * ```
 */
export function confluentDriver(options: ConfluentDriverOptions): KafkaDriver {
  checkOptions(options);
  return {
    name: "confluent",
    encode,
    openProducer: async ({ maxMessageBytes }, events) =>
      openProducer(await loadVendor(), options, maxMessageBytes, events),
    openConsumer: async (source, events) => openConsumer(await loadVendor(), options, source, events),
    openReader: async (topic, events) =>
      (await import("./reader.ts")).openReader(await loadVendor(), options, topic, events),
    openAdmin: async (events) => (await import("./admin.ts")).openAdmin(await loadVendor(), options, events),
    openTransactions: async (wanted, events) =>
      (await import("./transactions.ts")).openTransactions(await loadVendor(), options, wanted, events),
  };
}
