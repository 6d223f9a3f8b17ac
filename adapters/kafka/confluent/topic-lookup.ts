import { EventError } from "../../../core/errors.ts";
import { code, codeOf, toEventError } from "./errors.ts";
import { called, type VendorAdmin, type VendorTopic } from "./vendor.ts";

const requestMs = 10_000;

/** Looks a topic up and creates none. Undefined: there is no such topic. */
export async function topicIfAny(admin: VendorAdmin, topic: string): Promise<VendorTopic | undefined> {
  const options = { timeout: requestMs };
  const [found] = await called<readonly VendorTopic[]>((done) => admin.describeTopics([topic], options, done)).catch(
    (cause: unknown) => [{ name: topic, error: cause as VendorTopic["error"] & object }],
  );
  if (!found?.error) return found;
  if (codeOf(found.error) === code.unknownTopic) return undefined;
  throw found.error;
}

/** The error of a topic that is wanted and not there. */
export function missing(topic: string, cause?: unknown): EventError {
  return new EventError("invalid-destination", `Kafka has no topic "${topic}"`, { cause });
}

/** What the brokers refuse to this client. */
export const denials: readonly (number | undefined)[] = [code.topicDenied, code.clusterDenied, code.policyViolation];
const wrong: readonly (number | undefined)[] = [code.invalidReplicas, code.invalidConfig];

/** Why the brokers did not do what was asked about a topic. */
export function refusal(cause: unknown, what: string): EventError {
  const known = codeOf(cause);
  if (denials.includes(known)) return toEventError(cause, what, "denied", false);
  if (known === code.invalidTopic) return toEventError(cause, what, "invalid-destination", false);
  return toEventError(cause, what, "transport-failed", !wrong.includes(known));
}
