import { EventError } from "../../core/errors.ts";
import { sleep } from "../../core/sleep.ts";
import type { DestinationSpec, ProvidedDestination } from "../../core/transport.ts";
import { connectionEvents, unsupported } from "./connection-events.ts";
import type { DemandContext } from "./demand-context.ts";
import type { KafkaAdmin, NewTopic } from "./driver.ts";

/** By how much a letter may be larger than the message that failed: its headers tell why. */
const letterBytes = 64 * 1024;
const suffix = { "dead-letter": "dlq", retry: "retry", state: "state" } as const;
/** How long a new topic may take to get its leaders, and how often that is asked. */
const ledMs = 10_000;
const askMs = 100;

/**
 * Creates the topic that `spec` asks for, or verifies one that exists and changes nothing.
 *
 * Dead letters and state get one partition, so that all of it has one order, and never expire; what is retried gets as
 * many as its source. All are kept by as many brokers as the source. Verified is what a topic must not do to what it is
 * for: throw dead letters away by their keys, keep every state for ever or lose one by its age. What the brokers do not
 * tell this client is taken on trust.
 *
 * Rejects with `configuration-mismatch`, `denied`, `invalid-destination` where the source neither exists nor may be
 * created, `unsupported` for a driver that cannot do it, and as `consume` does.
 */
export async function ensureTopic(context: DemandContext, spec: DestinationSpec): Promise<ProvidedDestination> {
  const { driver } = context.settings;
  if (!driver.openAdmin) throw unsupported(context, "ensure");
  const topic = spec.destination ?? `${spec.source}.${suffix[spec.role]}`;
  const client = {};
  let admin: KafkaAdmin | undefined;
  try {
    admin = await driver.openAdmin(connectionEvents(context, client));
    const exists = (await admin.describe(topic, false)) !== undefined;
    const made = !exists && (await admin.create(await newTopic(context, admin, topic, spec)));
    await untilLed(context, admin, topic);
    if (!made) await verify(admin, topic, spec.role);
  } catch (cause) {
    throw EventError.from(cause);
  } finally {
    context.status.forget(client);
    await admin?.close();
  }
  return { destinations: [topic], of: () => topic };
}

async function newTopic(
  { settings }: DemandContext,
  admin: KafkaAdmin,
  topic: string,
  { role, source }: DestinationSpec,
): Promise<NewTopic> {
  const found = await admin.describe(source, true);
  // Made a moment ago, and not every broker knows.
  if (!found) throw new EventError("invalid-destination", `Kafka has no topic "${source}" yet`, { retryable: true });
  const { partitions, replicas } = found;
  if (role === "retry") return { topic, partitions, replicas, config: {} };
  if (role === "state") return { topic, partitions: 1, replicas, config: { "cleanup.policy": "compact" } };
  // Where the source's own bound is not told, nothing larger than the transport's reaches its dead letters.
  const { maxMessageBytes = settings.maxMessageBytes } = await admin.settings(source);
  const config = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "max.message.bytes": String(maxMessageBytes + letterBytes),
  };
  return { topic, partitions: 1, replicas, config };
}

async function untilLed({ settings: { clock } }: DemandContext, admin: KafkaAdmin, topic: string): Promise<void> {
  for (const until = clock.now() + ledMs; ; await sleep(clock, askMs)) {
    const found = await admin.describe(topic, false);
    if (found?.led) return;
    if (clock.now() < until) continue;
    throw new EventError("timeout", `Topic "${topic}" has a partition without a leader`, { retryable: true });
  }
}

async function verify(admin: KafkaAdmin, topic: string, role: DestinationSpec["role"]): Promise<void> {
  const { compacts, deletes } = await admin.settings(topic);
  if (role === "dead-letter" && compacts) {
    throw mismatch(topic, "is compacted: it would lose dead letters that share a key, and take none without");
  }
  if (role === "state" && compacts === false) {
    throw mismatch(topic, "is not compacted: it would keep what was replaced long ago");
  }
  if (role === "state" && deletes) throw mismatch(topic, "deletes by age or size: it would lose states still in use");
}

function mismatch(topic: string, what: string): EventError {
  return new EventError("configuration-mismatch", `Topic "${topic}" ${what}; nothing was changed`);
}
