import { EventError, type EventErrorCode } from "../../core/errors.ts";

/** A permission the server refused. */
export interface Denial {
  readonly operation: string;
  readonly subject: string;
}

/** What a client says, what that means, and whether it may pass. */
export type Meaning = readonly [EventErrorCode, RegExp, boolean?];

/** By words, since every client has classes and codes of its own. */
const MEANINGS: readonly Meaning[] = [
  ["unauthorized", /authorization|authentication/i],
  ["closed", /closed|draining/i],
  ["too-large", /max_?payload/i],
  ["invalid-destination", /subject/i],
  ["transport-failed", /^/, true],
];

/** Reads a refused permission out of whatever a client reports; undefined for any other error. */
export function denialOf(reason: unknown): Denial | undefined {
  // nats-core has the two fields on the error itself, nats.ws on `permissionContext` of the error or the status.
  const { permissionContext = reason, cause, error = cause } = Object(reason);
  const { operation, subject } = Object(permissionContext);
  if (typeof operation === "string" && typeof subject === "string") return { operation, subject };
  return error && denialOf(error);
}

/** Maps an error of the client, or an item of `status()`, to an {@link EventError}; `more` is looked at first. */
export function natsError(reason: unknown, what: string, more: readonly Meaning[] = []): EventError {
  if (reason instanceof EventError) return reason;
  const denial = denialOf(reason);
  if (denial) {
    return new EventError("denied", `nats: no permission: ${denial.operation} to ${denial.subject}`, {
      cause: reason,
    });
  }
  const { code: own, data, cause } = Object(reason);
  const said = [reason, own, data, cause, cause?.code].join();
  const [code, , retryable = false] = [...more, ...MEANINGS].find(([, pattern]) => pattern.test(said))!;
  return new EventError(code, `nats: ${what}: ${code}`, { cause: reason, retryable });
}

/** The error of whatever comes too late. */
export function closedError(cause?: unknown): EventError {
  return new EventError("closed", "nats: the transport is closed", { cause });
}
