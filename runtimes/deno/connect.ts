import type { Catalog } from "../../core/catalog.ts";
import {
  connectServer,
  openPlatformatic,
  type PlatformaticKafkaOptions,
  type ServerBus,
  type ServerConnectOptions,
} from "../shared/server.ts";

/** Options of {@link connect}. */
export type ConnectOptions<C extends Catalog = Catalog> = ServerConnectOptions<C, PlatformaticKafkaOptions>;

/**
 * Opens what is configured and returns the bus over it; the bus closes what this opened. NATS is connected when
 * this resolves; Kafka's clients connect with the first publish and the first subscribe, which tell their failures.
 *
 * @throws EventError `unreachable`, `unauthorized`, `aborted`, `peer-missing` (naming the package) or `invalid-option`.
 *
 * @example
 * ```ts
 * import { connect } from "waybill/deno";
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
export function connect<C extends Catalog = Catalog>(options: ConnectOptions<C>): Promise<ServerBus<C>> {
  return connectServer(options, openPlatformatic);
}
