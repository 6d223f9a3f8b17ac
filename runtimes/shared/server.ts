import type { KafkaTransportOptions } from "../../adapters/kafka/index.ts";
import type { PlatformaticDriverOptions } from "../../adapters/kafka/platformatic/index.ts";
import type { EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import type { BusOptions, JetStreamOptions, NatsTcpOptions } from "./connect-options.ts";
import { openBus } from "./open-bus.ts";
import { type NatsVendor, type OwnConnection, openNats, peerMissing } from "./open-nats.ts";

/** The transports that `connect` may open on a server. */
export type ServerTransport = "nats" | "jetstream" | "kafka";

/** Kafka by `@platformatic/kafka`, without native code. */
export type PlatformaticKafkaOptions = PlatformaticDriverOptions & Omit<KafkaTransportOptions, "driver">;

/** What `connect` takes on every server runtime; `Kafka` is what that runtime's Kafka takes. */
export interface ServerConnectOptions<C extends Catalog, Kafka> extends BusOptions<C, ServerTransport> {
  /** Opens NATS over TCP, by `@nats-io/transport-node`. */
  readonly nats?: NatsTcpOptions | undefined;
  /** JetStream beside core NATS, over the same connection. Needs `nats`. */
  readonly jetstream?: JetStreamOptions | undefined;
  /** Opens Kafka. */
  readonly kafka?: Kafka | undefined;
}

/** The bus that `connect` returns on a server. */
export type ServerBus<C extends Catalog> = EventBus<C, Readonly<Record<ServerTransport, Transport>>>;

/** Opens what is configured; `openKafka` is the runtime's own way. */
export async function connectServer<C extends Catalog, Kafka>(
  { nats, jetstream, kafka, ...bus }: ServerConnectOptions<C, Kafka>,
  openKafka: (options: Kafka) => Promise<Transport>,
): Promise<ServerBus<C>> {
  if (!nats && !kafka) throw new EventError("invalid-option", "connect: give nats, kafka or both");
  if (jetstream && !nats)
    throw new EventError("invalid-option", "connect: jetstream needs nats, whose connection it takes");
  return openBus(bus, {
    nats: nats && (() => openTcp(nats)),
    jetstream,
    kafka: kafka && (() => openKafka(kafka)),
  });
}

async function openTcp({ tls, ...options }: NatsTcpOptions): Promise<OwnConnection> {
  const more = tls ? { tls: tls === true ? {} : tls } : {};
  return openNats(await tcpClient(), options, /^(nats|tls):/, more);
}

async function tcpClient(): Promise<NatsVendor> {
  try {
    return (await import("@nats-io/transport-node")) as unknown as NatsVendor;
  } catch (cause) {
    throw peerMissing("@nats-io/transport-node", cause);
  }
}

/** Kafka by `@platformatic/kafka`. */
export async function openPlatformatic(options: PlatformaticKafkaOptions): Promise<Transport> {
  const { kafkaTransport } = await import("../../adapters/kafka/index.ts");
  const { platformaticDriver } = await import("../../adapters/kafka/platformatic/index.ts");
  return kafkaTransport({ ...options, driver: platformaticDriver(options) });
}
