import { EventError, type EventErrorCode } from "../../../core/errors.ts";
import type { ProduceFailure } from "../driver.ts";

/** The broker's error codes this driver tells apart. */
export const code = {
  coordinatorLoading: 14,
  coordinatorUnavailable: 15,
  notCoordinator: 16,
  memberIdRequired: 79,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
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
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  transactionalIdDenied: 53,
  kafkaStorage: 56,
  saslFailed: 58,
  fencedLeaderEpoch: 74,
  fencedInstance: 82,
  invalidRecord: 87,
  producerFenced: 90,
  unknownTopicId: 100,
  fencedMemberEpoch: 110,
  staleMemberEpoch: 113,
} as const;

interface VendorError extends Error {
  readonly code?: string;
  readonly apiCode?: number;
  readonly canRetry?: boolean;
  readonly errors?: readonly unknown[];
}

/** This error and everything inside it: the vendor nests repeats, brokers, answers and causes. */
export function* within(error: unknown): Generator<VendorError> {
  if (typeof error !== "object" || error === null) return;
  yield error as VendorError;
  for (const each of (error as VendorError).errors ?? []) yield* within(each);
  yield* within((error as VendorError).cause);
}

/** The broker's code inside a vendor error, if one of its answers is the reason. */
export function apiCodeOf(error: unknown): number | undefined {
  for (const each of within(error)) if (typeof each.apiCode === "number") return each.apiCode;
  return undefined;
}

/** The network failed: whether the request arrived is unknown. The vendor's time-outs carry this code too. */
export function isNetwork(error: unknown): boolean {
  for (const each of within(error)) if (each.code === "PLT_KFK_NETWORK") return true;
  return false;
}

/** The brokers do not know these credentials. */
export function isRefused(error: unknown): boolean {
  for (const each of within(error)) {
    if (each.code === "PLT_KFK_AUTHENTICATION" || each.apiCode === code.saslFailed) return true;
  }
  return false;
}

type Row = readonly [errorCode: EventErrorCode, retryable: boolean];

// What a broker answers with these was certainly not stored. Everything else is unknown: a wrong "failed" doubles a
// message, a wrong "unknown" only asks.
const notStored = new Map<number, Row>([
  [code.messageTooLarge, ["too-large", false]],
  [code.recordListTooLarge, ["too-large", false]],
  [code.invalidTopic, ["invalid-destination", false]],
  [code.unknownTopic, ["invalid-destination", false]],
  [code.topicDenied, ["denied", false]],
  [code.clusterDenied, ["denied", false]],
  [code.policyViolation, ["transport-failed", false]],
  [code.invalidRecord, ["transport-failed", false]],
  [code.notEnoughReplicas, ["transport-failed", true]],
  [code.leaderNotAvailable, ["transport-failed", true]],
  [code.notLeader, ["transport-failed", true]],
  [code.fencedLeaderEpoch, ["transport-failed", true]],
  [code.invalidProducerEpoch, ["transport-failed", true]],
  [code.producerFenced, ["transport-failed", true]],
]);

/** What the broker's code for one partition says about its records. */
export function refusal(apiCode: number, cause: unknown): ProduceFailure {
  const row = notStored.get(apiCode);
  const [errorCode, retryable] = row ?? (["transport-failed", true] satisfies Row);
  const fatal = apiCode === code.producerFenced || apiCode === code.invalidProducerEpoch;
  const error = toEventError(cause, "Kafka did not confirm", errorCode, retryable, apiCode);
  return { outcome: row ? "failed" : "unknown", fatal, error };
}

/** What an error without a word about a partition says about its records. */
export function lostSend(cause: unknown): ProduceFailure {
  const apiCode = apiCodeOf(cause);
  if (apiCode !== undefined && !isNetwork(cause)) return refusal(apiCode, cause);
  return { outcome: "unknown", fatal: false, error: toEventError(cause, "Kafka did not confirm") };
}

const rebalance: readonly (number | undefined)[] = [
  code.illegalGeneration,
  code.unknownMember,
  code.rebalanceInProgress,
  code.fencedInstance,
  code.fencedMemberEpoch,
  code.staleMemberEpoch,
];

const passing: readonly (number | undefined)[] = [
  ...rebalance,
  code.coordinatorLoading,
  code.coordinatorUnavailable,
  code.notCoordinator,
  code.memberIdRequired,
];

/** A group on the move, a coordinator that is being found or a network that is away: no news, the next try may pass. */
export function isPassing(cause: unknown): boolean {
  return isNetwork(cause) || passing.includes(apiCodeOf(cause));
}

/** Why a commit was refused: `fenced` while a rebalance is the reason, which the next round may be past. */
export function commitFailure(cause: unknown): EventError {
  const known = apiCodeOf(cause);
  if (known === code.groupDenied) return toEventError(cause, "Kafka refused a commit", "denied", false);
  return toEventError(cause, "Kafka refused a commit", rebalance.includes(known) ? "fenced" : "transport-failed");
}

/** Wraps a vendor error, which stays as `cause`. The innermost message says most. */
export function toEventError(
  cause: unknown,
  what: string,
  errorCode: EventErrorCode = "transport-failed",
  retryable = true,
  apiCode: number | undefined = apiCodeOf(cause),
): EventError {
  if (cause instanceof EventError) return cause;
  return new EventError(errorCode, `${what}: ${reasonOf(cause)}${apiCode === undefined ? "" : ` (${apiCode})`}`, {
    cause,
    retryable,
  });
}

/** The deepest message inside an error: those around it only say that something failed. */
export function reasonOf(cause: unknown): string {
  let reason = cause instanceof Error ? "" : String(cause);
  for (const each of within(cause)) if (each.message) reason = each.message;
  return reason;
}
