import { brokerList, checkDriverOptions, checkMs, type DriverOptions } from "../driver-options.ts";
import { heartbeatMs } from "../group-options.ts";
import type { SaslOptions } from "../security.ts";
import type { VendorConfig } from "./vendor.ts";

/** Options of `platformaticDriver`. */
export interface PlatformaticDriverOptions extends DriverOptions {
  /** How long a request to a broker may take, in milliseconds. Default: 30,000. */
  readonly requestTimeoutMs?: number | undefined;
}

/** Throws `invalid-option` for what cannot work. */
export function checkOptions(options: PlatformaticDriverOptions): void {
  checkDriverOptions(options);
  checkMs("requestTimeoutMs", options.requestTimeoutMs, 1);
}

/** How long a client of these options may take to reach a broker. */
export const connectMs = ({ connectTimeoutMs }: PlatformaticDriverOptions): number => connectTimeoutMs ?? 10_000;

/** What every client gets. The driver repeats by itself: a call that fails says so at once. */
export function clientConfig(options: PlatformaticDriverOptions): VendorConfig {
  return {
    clientId: options.clientId ?? "waybill",
    bootstrapBrokers: brokerList(options),
    connectTimeout: Math.min(5_000, connectMs(options)),
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    retries: 0,
    ...security(options),
  };
}

/** A producer that repeats by itself until it is closed: only its own repeats are recognised by the broker. */
export function producerConfig(options: PlatformaticDriverOptions): VendorConfig {
  return {
    ...clientConfig(options),
    idempotent: true,
    acks: -1,
    compression: "snappy",
    retries: true,
    retryDelay: 250,
  };
}

// Bounds what one fetch brings of a partition. The broker sends a larger batch whole. As with Kafka's own clients: a
// quarter of it made the bus wait for the network more than it worked.
export const partitionMaxBytes: number = 1024 * 1024;

/** A client that reads and never joins. */
export function readerConfig(options: PlatformaticDriverOptions): VendorConfig {
  return {
    ...clientConfig(options),
    groupId: "waybill-reader",
    autocommit: false,
    isolationLevel: 1,
    minBytes: 1,
    maxBytes: 16 * 1024 * 1024,
    maxWaitTime: 250,
  };
}

/** A member of a group. It commits what it is told to, and repeats nothing by itself: a repeat could join anew. */
export function memberConfig(options: PlatformaticDriverOptions, group: string): VendorConfig {
  const { groupProtocol, assignmentStrategy = "cooperative-sticky", sessionTimeoutMs = 45_000 } = options;
  const own =
    groupProtocol === "consumer"
      ? { groupProtocol }
      : {
          protocols: [{ name: assignmentStrategy, version: 1 }],
          sessionTimeout: sessionTimeoutMs,
          rebalanceTimeout: Math.max(102_000, sessionTimeoutMs),
          heartbeatInterval: heartbeatMs(sessionTimeoutMs),
        };
  return { ...clientConfig(options), groupId: group, autocommit: false, ...own };
}

function security(options: PlatformaticDriverOptions): VendorConfig {
  const { tls, sasl } = options;
  const { ca, cert, key } = typeof tls === "object" ? tls : {};
  const files = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  // Brokers behind one address are told apart by the name the client asks for. An address is no such name.
  const named = brokerList(options).some((broker) => !/^(\[|[\d.]+:?\d*$)/.test(broker));
  return {
    ...(tls ? { tls: files, tlsServerName: named } : {}),
    ...(sasl ? { sasl: credentials(sasl) } : {}),
  };
}

function credentials(sasl: SaslOptions): VendorConfig {
  const mechanism = sasl.mechanism.toUpperCase();
  if (sasl.mechanism === "oauthbearer") return { mechanism, token: sasl.token };
  return { mechanism, username: sasl.username, password: sasl.password };
}
