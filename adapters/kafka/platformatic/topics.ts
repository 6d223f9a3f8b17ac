import { EventError } from "../../../core/errors.ts";
import { rest } from "../rest.ts";
import { isNetwork, toEventError } from "./errors.ts";
import { limited } from "./link.ts";
import type { VendorClient } from "./vendor.ts";

const retryMs = 100;
const requestMs = 5_000;

/** How a topic lies over the brokers. */
export interface Layout {
  readonly id: string;
  /** The node that leads each partition; negative while none does. */
  readonly leaders: readonly number[];
}

/**
 * Looks a topic up. The broker creates it where it may, which takes a moment. Rejects with `invalid-destination` when
 * there still is none after `timeoutMs`, and with what the broker says against its name at once.
 */
export async function layoutOf(client: VendorClient, topic: string, timeoutMs: number): Promise<Layout> {
  for (const until = Date.now() + timeoutMs; ; await rest(retryMs)) {
    let failure: unknown;
    try {
      const asked = client.metadata({ topics: [topic], autocreateTopics: true, forceUpdate: true });
      const found = (await limited(asked, requestMs)).topics.get(topic);
      if (found && found.partitionsCount > 0) {
        return { id: found.id, leaders: found.partitions.map(({ leader }) => leader) };
      }
    } catch (cause) {
      failure = cause;
      const refused = namedRefusal(cause, topic);
      if (refused) throw refused;
    }
    if (Date.now() < until) continue;
    if (failure && (isNetwork(failure) || failure instanceof EventError)) {
      throw toEventError(failure, "Kafka did not describe a topic", "unreachable");
    }
    throw new EventError("invalid-destination", `Kafka has no topic "${topic}" and did not create it`, {
      retryable: true,
    });
  }
}

function namedRefusal(cause: unknown, topic: string): EventError | undefined {
  const error = toEventError(cause, `Kafka refused the topic "${topic}"`);
  if (/ \(17\)$/.test(error.message)) return toEventError(cause, "Kafka refused a topic", "invalid-destination", false);
  if (/ \((29|31)\)$/.test(error.message)) return toEventError(cause, "Kafka refused a topic", "denied", false);
  return undefined;
}
