/**
 * @module
 * Kafka by `@platformatic/kafka`, in plain JavaScript, for Deno, Bun and Node from 22.22 on. The package is an optional
 * peer, loaded when the first client is opened.
 */
import type { KafkaDriver } from "../driver.ts";
import { encode } from "../utf8.ts";
import { checkOptions, type PlatformaticDriverOptions } from "./config.ts";
import { openProducer } from "./producer.ts";
import { loadVendor } from "./vendor.ts";

export type { DriverOptions } from "../driver-options.ts";
export type { GroupOptions } from "../group-options.ts";
export type { BearerSasl, PasswordSasl, SaslOptions, SecurityOptions, TlsOptions } from "../security.ts";
export type { PlatformaticDriverOptions } from "./config.ts";

/**
 * Drives Kafka without native code: acks from all replicas, idempotent, snappy, partitions by Java's murmur2,
 * cooperative-sticky groups, committed records only. Nothing connects before the transport publishes or consumes.
 *
 * With `groupProtocol: "consumer"` the client gives partitions back before their work can be drained: at a rebalance
 * what was started is fenced and comes again elsewhere.
 *
 * Throws `invalid-option` for options that cannot work.
 *
 * @example
 * ```ts
 * import { kafkaTransport } from "waybill/kafka";
 * import { platformaticDriver } from "waybill/kafka/platformatic";
 *
 * const kafka = kafkaTransport({ driver: platformaticDriver({ brokers: ["127.0.0.1:9092"], clientId: "shop" }) });
 * ```
 */
export function platformaticDriver(options: PlatformaticDriverOptions): KafkaDriver {
  checkOptions(options);
  return {
    name: "platformatic",
    encode,
    openProducer: async (_, events) => openProducer(await loadVendor(), options, events),
    openConsumer: async (source, events) =>
      (await import("./consumer.ts")).openConsumer(await loadVendor(), options, source, events),
    openReader: async (topic, events) =>
      (await import("./reader.ts")).openReader(await loadVendor(), options, topic, events),
    openAdmin: async (events) => (await import("./admin.ts")).openAdmin(await loadVendor(), options, events),
    openTransactions: async ({ name }, events) =>
      (await import("./transactions.ts")).openTransactions(await loadVendor(), options, name, events),
  };
}
