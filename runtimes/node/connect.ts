import type { ConfluentDriverOptions } from "../../adapters/kafka/confluent/index.ts";
import type { KafkaTransportOptions } from "../../adapters/kafka/index.ts";
import type { Catalog } from "../../core/catalog.ts";
import type { Transport } from "../../core/transport.ts";
import {
  connectServer,
  openPlatformatic,
  type PlatformaticKafkaOptions,
  type ServerBus,
  type ServerConnectOptions,
} from "../shared/server.ts";

/** Kafka on Node: by `@confluentinc/kafka-javascript`, or by choice by `@platformatic/kafka` (Node 22.22 or newer). */
export type NodeKafkaOptions =
  | ({ readonly client?: "confluent" } & ConfluentDriverOptions & Omit<KafkaTransportOptions, "driver">)
  | ({ readonly client: "platformatic" } & PlatformaticKafkaOptions);

/** Options of {@link connect}. */
export type ConnectOptions<C extends Catalog = Catalog> = ServerConnectOptions<C, NodeKafkaOptions>;

/**
 * Opens what is configured and returns the bus over it; the bus closes what this opened. NATS is connected when
 * this resolves; Kafka's clients connect with the first publish and the first subscribe, which tell their failures.
 *
 * @throws EventError `unreachable`, `unauthorized`, `aborted`, `peer-missing` (naming the package) or `invalid-option`.
 *
 * @example
 * ```ts
 * import { connect } from "waybill/node";
 *
 * await using bus = await connect({
 *   source: "/orders",
 *   nats: { servers: "nats://127.0.0.1:4222" },
 *   jetstream: { streams: [{ name: "SHOP", subjects: ["shop.>"] }] },
 *   kafka: { brokers: ["127.0.0.1:9092"] },
 *   routes: [{ type: "price.*", to: "nats" }, { type: "shop.**", to: "jetstream" }, { type: "**", to: "kafka" }],
 * });
 * await bus.publish("order.placed", { orderId: "o-1" });
 * ```
 */
export function connect<C extends Catalog = Catalog>(options: ConnectOptions<C>): Promise<ServerBus<C>> {
  return connectServer(options, openKafka);
}

async function openKafka(options: NodeKafkaOptions): Promise<Transport> {
  if (options.client === "platformatic") return openPlatformatic(options);
  const { kafkaTransport } = await import("../../adapters/kafka/index.ts");
  const { confluentDriver } = await import("../../adapters/kafka/confluent/index.ts");
  return kafkaTransport({ ...options, driver: confluentDriver(options) });
}
