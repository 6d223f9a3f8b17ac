import { EventError, type EventErrorCode } from "../../../core/errors.ts";
import type { ProduceFailure } from "../driver.ts";

/** librdkafka's codes this driver tells apart: negative ones are its own, positive ones the broker's. */
export const code = {
  unknownTopic: 3,
  messageTooLarge: 10,
  invalidTopic: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  topicDenied: 29,
  groupDenied: 30,
  clusterDenied: 31,
  topicExists: 36,
  invalidReplicas: 38,
  invalidConfig: 40,
  policyViolation: 44,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  transactionalIdDenied: 53,
  saslFailed: 58,
  invalidRecord: 87,
  producerFenced: 90,
  localUnknownTopic: -188,
  unknownPartition: -190,
  queueFull: -184,
  timedOutLocally: -185,
  allBrokersDown: -187,
  messageTimedOut: -192,
  transport: -195,
  purgedQueue: -152,
  purgedInFlight: -151,
  fenced: -144,
  fatal: -150,
  authentication: -169,
  assign: -175,
} as const;

/** The numeric code of a vendor error, or undefined when it is none of librdkafka's. */
export function codeOf(error: unknown): number | undefined {
  const value = (error as { code?: unknown } | null | undefined)?.code;
  return typeof value === "number" ? value : undefined;
}

type Row = readonly [outcome: "failed" | "unknown", errorCode: EventErrorCode, retryable: boolean];

// Everything that is not listed is unknown: a wrong "failed" doubles a message, a wrong "unknown" only asks.
const reported = new Map<number, Row>([
  [code.messageTooLarge, ["failed", "too-large", false]],
  [code.recordListTooLarge, ["failed", "too-large", false]],
  [code.invalidTopic, ["failed", "invalid-destination", false]],
  [code.unknownTopic, ["failed", "invalid-destination", false]],
  [code.localUnknownTopic, ["failed", "invalid-destination", false]],
  [code.unknownPartition, ["failed", "invalid-destination", false]],
  [code.topicDenied, ["failed", "denied", false]],
  [code.clusterDenied, ["failed", "denied", false]],
  [code.policyViolation, ["failed", "transport-failed", false]],
  [code.invalidRecord, ["failed", "transport-failed", false]],
  [code.notEnoughReplicas, ["failed", "transport-failed", true]],
  [code.purgedQueue, ["failed", "transport-failed", true]],
  [code.messageTimedOut, ["unknown", "timeout", true]],
  [code.purgedInFlight, ["unknown", "transport-failed", true]],
]);

const isFatal = (error: unknown): boolean =>
  (error as { isFatal?: boolean } | null)?.isFatal === true ||
  codeOf(error) === code.fenced ||
  codeOf(error) === code.fatal;

/** What a delivery report with an error says about its record. */
export function reportFailure(cause: unknown): ProduceFailure {
  const row = reported.get(codeOf(cause) ?? Number.NaN);
  const [outcome, errorCode, retryable] = row ?? (["unknown", "transport-failed", true] satisfies Row);
  return { outcome, fatal: isFatal(cause), error: toEventError(cause, "Kafka did not confirm", errorCode, retryable) };
}

/** What an error thrown by `produce` says: librdkafka's own refusals come before the record is queued. */
export function thrownFailure(cause: unknown): ProduceFailure {
  const known = codeOf(cause);
  // An error of the binding itself can be thrown after the record was queued.
  if (known === undefined) return reportFailure(cause);
  const row = reported.get(known);
  const full = known === code.queueFull;
  const error = toEventError(
    cause,
    "Kafka's client refused a record",
    full ? "buffer-full" : (row?.[1] ?? "transport-failed"),
    full || isFatal(cause) || (row?.[2] ?? false),
  );
  return { outcome: "failed", fatal: isFatal(cause), error };
}

/** Why a commit was refused: `fenced` while a rebalance is the reason, which the next round may be past. */
export function commitFailure(cause: unknown): EventError {
  const known = codeOf(cause);
  const rebalance =
    known === code.illegalGeneration || known === code.unknownMember || known === code.rebalanceInProgress;
  if (known === code.groupDenied) return toEventError(cause, "Kafka refused a commit", "denied", false);
  return toEventError(cause, "Kafka refused a commit", rebalance ? "fenced" : "transport-failed", true);
}

/** Wraps a vendor error, which stays as `cause`. */
export function toEventError(
  cause: unknown,
  what: string,
  errorCode: EventErrorCode = "transport-failed",
  retryable = true,
): EventError {
  if (cause instanceof EventError) return cause;
  const known = codeOf(cause);
  // Answers for single partitions are plain objects.
  const message = (cause as { message?: unknown } | null)?.message ?? cause;
  return new EventError(errorCode, `${what}: ${String(message)}${known === undefined ? "" : ` (${known})`}`, {
    cause,
    retryable,
  });
}
