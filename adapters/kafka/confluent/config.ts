import { EventError } from "../../../core/errors.ts";
import type { VendorConfig } from "./vendor.ts";

/** SASL credentials. They appear in no error and no log of this package. */
export interface SaslOptions {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** TLS towards the brokers. */
export interface TlsOptions {
  /** Trusted authorities, PEM. Default: the host's. */
  readonly ca?: string | undefined;
  /** Client certificate, PEM. */
  readonly cert?: string | undefined;
  /** Key of the client certificate, PEM. */
  readonly key?: string | undefined;
}

/** Options of `confluentDriver`. */
export interface ConfluentDriverOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[] | string;
  /** How brokers and their logs name this client. Default: `waybill`. */
  readonly clientId?: string | undefined;
  /** Default: no TLS. `true` trusts the host's authorities. */
  readonly tls?: boolean | TlsOptions | undefined;
  readonly sasl?: SaslOptions | undefined;
  /**
   * How long the producer collects a batch, in milliseconds; a message that is published and awaited alone waits as
   * long. Default: 5.
   */
  readonly lingerMs?: number | undefined;
  /** How long a client may take to reach a broker, in milliseconds. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a record may stay unconfirmed before it is reported as unknown, in milliseconds. Default: 60,000. */
  readonly deliveryTimeoutMs?: number | undefined;
  /**
   * Further settings of librdkafka by their own names, for both clients; they win over this driver's. Those on which
   * the transport's guarantees rest (`enable.auto.commit`, `group.id` and the callbacks) are refused.
   */
  readonly config?: Readonly<Record<string, string | number | boolean>> | undefined;
}

// With a second constructor argument librdkafka drops these silently from the first.
const topicLevel = new Set([
  "acks",
  "request.required.acks",
  "request.timeout.ms",
  "message.timeout.ms",
  "delivery.timeout.ms",
  "partitioner",
  "queuing.strategy",
  "compression.level",
  "auto.offset.reset",
]);

const reserved = [
  "bootstrap.servers",
  "metadata.broker.list",
  "group.id",
  "enable.auto.commit",
  "auto.commit.enable",
  "enable.auto.offset.store",
  "rebalance_cb",
  "offset_commit_cb",
  "dr_cb",
  "dr_msg_cb",
  "event_cb",
];

// Settings of one kind of client make the other print a warning: they go only where they mean something.
const producerOnly =
  /^(linger|batch|queue\.buffering|message\.send|retry|retries|enable\.idem|enable\.gap|acks|partitioner|compression|transaction|sticky|message\.timeout|delivery|request\.required|queuing)/;
const consumerOnly =
  /^(group|session|heartbeat|max\.poll|fetch|queued|isolation|partition\.assignment|auto\.|enable\.partition|check\.crcs|coordinator|js\.consumer)/;

/** Settings for one client: global ones and, apart from them, topic-level ones. */
export interface ClientConfig {
  readonly global: VendorConfig;
  readonly topic: VendorConfig;
}

/** Throws `invalid-option` for what cannot work. */
export function checkOptions(options: ConfluentDriverOptions): void {
  if (brokerList(options) === "") throw new EventError("invalid-option", "brokers: at least one host:port is needed");
  const taken = Object.keys(options.config ?? {}).find((name) => reserved.includes(name));
  if (taken) throw new EventError("invalid-option", `config: "${taken}" is set by the transport itself`);
  for (const name of ["lingerMs", "connectTimeoutMs", "deliveryTimeoutMs"] as const) {
    const value = options[name];
    if (value === undefined || (Number.isFinite(value) && value >= (name === "lingerMs" ? 0 : 1))) continue;
    throw new EventError("invalid-option", `${name}: a number of milliseconds, not ${String(value)}`);
  }
}

/** The brokers as one list, for the client and for errors. */
export function brokerList(options: ConfluentDriverOptions): string {
  return (typeof options.brokers === "string" ? [options.brokers] : options.brokers).filter(Boolean).join(",");
}

/** Settings of a producer: acks all, idempotent, snappy, partitions as Java's clients choose them. */
export function producerConfig(options: ConfluentDriverOptions, maxMessageBytes: number): ClientConfig {
  return merge(options, consumerOnly, {
    "enable.idempotence": true,
    acks: "all",
    "compression.codec": "snappy",
    partitioner: "murmur2_random",
    // The bound holds for the whole record; the format's own bytes come on top of what the transport counts.
    "message.max.bytes": maxMessageBytes + 64 * 1024,
    "message.timeout.ms": options.deliveryTimeoutMs ?? 60_000,
    "linger.ms": options.lingerMs ?? 5,
    // The transport bounds what waits, more narrowly than this.
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 1_048_576,
  });
}

/** Settings of a consumer that commits by itself, and only what the transport says. */
export function consumerConfig(options: ConfluentDriverOptions, group: string): ClientConfig {
  return merge(options, producerOnly, {
    "group.id": group,
    "enable.auto.commit": false,
    "enable.auto.offset.store": false,
    "partition.assignment.strategy": "cooperative-sticky",
    // A position that retention has removed continues with the oldest record: nothing is skipped silently.
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": true,
    "queued.max.messages.kbytes": 32 * 1024,
    // The default stops fetching for a second whenever the local queue is full.
    "fetch.queue.backoff.ms": 20,
  });
}

function merge(options: ConfluentDriverOptions, foreign: RegExp, own: VendorConfig): ClientConfig {
  const extra = Object.entries(options.config ?? {}).filter(([name]) => !foreign.test(name));
  const all: VendorConfig = {
    "bootstrap.servers": brokerList(options),
    "client.id": options.clientId ?? "waybill",
    log_level: 2,
    ...security(options),
    ...own,
    ...Object.fromEntries(extra),
  };
  const global: VendorConfig = {};
  const topic: VendorConfig = {};
  for (const [name, value] of Object.entries(all)) (topicLevel.has(name) ? topic : global)[name] = value;
  return { global, topic };
}

function security({ tls, sasl }: ConfluentDriverOptions): VendorConfig {
  if (!tls && !sasl) return {};
  const { ca, cert, key } = typeof tls === "object" ? tls : {};
  return {
    "security.protocol": `${sasl ? "sasl_" : ""}${tls ? "ssl" : "plaintext"}`,
    ...(ca === undefined ? {} : { "ssl.ca.pem": ca }),
    ...(cert === undefined ? {} : { "ssl.certificate.pem": cert }),
    ...(key === undefined ? {} : { "ssl.key.pem": key }),
    ...(sasl
      ? {
          "sasl.mechanisms": sasl.mechanism.toUpperCase(),
          "sasl.username": sasl.username,
          "sasl.password": sasl.password,
        }
      : {}),
  };
}
