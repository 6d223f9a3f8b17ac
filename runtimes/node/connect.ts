import type { ConfluentDriverOptions } from "../../adapters/kafka/confluent/index.ts";
import type { KafkaTransportOptions } from "../../adapters/kafka/index.ts";
import { createEventBus, type EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import type { BusOptions, NatsOptions } from "../shared/connect-options.ts";
import { type NatsConnect, openNats, peerMissing } from "../shared/open-nats.ts";

/** The transports that `connect` may open on Node. */
export type NodeTransport = "nats" | "kafka";

/** Options of {@link connect}. */
export interface ConnectOptions<C extends Catalog = Catalog> extends BusOptions<C, NodeTransport> {
  /** Opens NATS over TCP, by `@nats-io/transport-node`. */
  readonly nats?: NatsOptions;
  /** Opens Kafka, by `@confluentinc/kafka-javascript`. */
  readonly kafka?: ConfluentDriverOptions & Omit<KafkaTransportOptions, "driver">;
}

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
 *   kafka: { brokers: ["127.0.0.1:9092"] },
 *   routes: [{ type: "price.*", to: "nats" }, { type: "**", to: "kafka" }],
 * });
 * await bus.publish("order.placed", { orderId: "o-1" });
 * ```
 */
export async function connect<C extends Catalog = Catalog>(
  options: ConnectOptions<C>,
): Promise<EventBus<C, Readonly<Record<NodeTransport, Transport>>>> {
  const { nats, kafka, ...bus } = options;
  if (!nats && !kafka) throw new EventError("invalid-option", "connect: give nats, kafka or both");
  const transports: Record<string, Transport> = {};
  try {
    if (nats) transports.nats = await openTcp(nats);
    if (kafka) transports.kafka = await openKafka(kafka);
    return createEventBus({ ...bus, transports }) as unknown as EventBus<C, Record<NodeTransport, Transport>>;
  } catch (error) {
    await Promise.all(Object.values(transports).map((transport) => transport.close({ deadlineMs: 0 })));
    throw error;
  }
}

async function openTcp(options: NatsOptions): Promise<Transport> {
  const { connect: dial } = await import("@nats-io/transport-node").catch(peerMissing("@nats-io/transport-node"));
  return openNats(dial as unknown as NatsConnect, options, /^(nats|tls):/);
}

async function openKafka(options: NonNullable<ConnectOptions["kafka"]>): Promise<Transport> {
  const { kafkaTransport } = await import("../../adapters/kafka/index.ts");
  const { confluentDriver } = await import("../../adapters/kafka/confluent/index.ts");
  return kafkaTransport({ ...options, driver: confluentDriver(options) });
}
