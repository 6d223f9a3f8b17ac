import { EventError } from "../../../core/errors.ts";
import { askLeader } from "../leader-moves.ts";
import { apiCodeOf, code, reasonOf, toEventError } from "./errors.ts";
import { limited } from "./link.ts";
import type { VendorClient, VendorTopic } from "./vendor.ts";

const requestMs = 5_000;

/** Looks a topic up and creates none. Undefined: there is no such topic. */
export async function layoutIfAny(client: VendorClient, topic: string): Promise<VendorTopic | undefined> {
  const ask = { topics: [topic], autocreateTopics: false, forceUpdate: true };
  try {
    const { topics } = await askLeader(() => limited(client.metadata(ask), requestMs), apiCodeOf);
    return topics.get(topic);
  } catch (cause) {
    // The client puts an error of its own in the place of the broker's.
    if (apiCodeOf(cause) === code.unknownTopic || /^unknown topic/i.test(reasonOf(cause))) return undefined;
    throw cause;
  }
}

/** The error of a topic that is wanted and not there. */
export function missing(topic: string): EventError {
  return new EventError("invalid-destination", `Kafka has no topic "${topic}"`);
}

/** What the brokers refuse to this client. */
export const denials: readonly (number | undefined)[] = [code.topicDenied, code.clusterDenied, code.policyViolation];
const wrong: readonly (number | undefined)[] = [code.invalidReplicas, code.invalidConfig];

/** Why the brokers did not do what was asked about a topic. */
export function refusal(cause: unknown, what: string): EventError {
  const known = apiCodeOf(cause);
  if (denials.includes(known)) return toEventError(cause, what, "denied", false);
  if (known === code.invalidTopic) return toEventError(cause, what, "invalid-destination", false);
  return toEventError(cause, what, "transport-failed", !wrong.includes(known));
}
