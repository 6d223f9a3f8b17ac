import { EventError } from "../../../core/errors.ts";
import { brokerList, checkDriverOptions, checkMs, type DriverOptions } from "../driver-options.ts";
import { heartbeatMs } from "../group-options.ts";
import type { SaslOptions } from "../security.ts";
import { bearerToken } from "./bearer-token.ts";
import type { VendorConfig } from "./vendor.ts";

/** Options of `confluentDriver`. */
export interface ConfluentDriverOptions extends DriverOptions {
  /**
   * How long the producer collects a batch, in milliseconds; a message that is published and awaited alone waits as
   * long. Default: 5.
   */
  readonly lingerMs?: number | undefined;
  /**
   * Further settings of librdkafka by their own names, for both clients; they win over this driver's. Those on which
   * the transport's guarantees rest (`enable.auto.commit`, `group.id`, `isolation.level`, `transactional.id` and the callbacks) are refused.
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
  "group.protocol",
  "enable.auto.commit",
  "auto.commit.enable",
  "enable.auto.offset.store",
  "isolation.level",
  "transactional.id",
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
  checkDriverOptions(options);
  const taken = Object.keys(options.config ?? {}).find((name) => reserved.includes(name));
  if (taken) throw new EventError("invalid-option", `config: "${taken}" is set by the transport itself`);
  checkMs("lingerMs", options.lingerMs, 0);
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
    ...membership(options),
    // A position that retention has removed continues with the oldest record: nothing is skipped silently.
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": true,
    "queued.max.messages.kbytes": 32 * 1024,
    // The default stops fetching for a second whenever the local queue is full.
    "fetch.queue.backoff.ms": 20,
  });
}

// With the broker's own assignor librdkafka refuses a member's strategy and session.
function membership({
  groupProtocol,
  assignmentStrategy,
  sessionTimeoutMs = 45_000,
}: ConfluentDriverOptions): VendorConfig {
  if (groupProtocol === "consumer") return { "group.protocol": "consumer" };
  return {
    "partition.assignment.strategy": assignmentStrategy ?? "cooperative-sticky",
    "session.timeout.ms": sessionTimeoutMs,
    "heartbeat.interval.ms": heartbeatMs(sessionTimeoutMs),
  };
}

function merge(options: ConfluentDriverOptions, foreign: RegExp, own: VendorConfig): ClientConfig {
  const extra = Object.entries(options.config ?? {}).filter(([name]) => !foreign.test(name));
  const all: VendorConfig = {
    "bootstrap.servers": brokerList(options).join(","),
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
    ...(sasl ? { "sasl.mechanisms": sasl.mechanism.toUpperCase() } : {}),
    ...(sasl ? credentials(sasl) : {}),
  };
}

function credentials(sasl: SaslOptions): VendorConfig {
  if (sasl.mechanism === "oauthbearer") {
    return { oauthbearer_token_refresh_cb: async () => bearerToken(await sasl.token()) };
  }
  return { "sasl.username": sasl.username, "sasl.password": sasl.password };
}
