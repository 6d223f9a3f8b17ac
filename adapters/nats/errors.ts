import { EventError } from "../../core/errors.ts";
import type { NatsStatusLike } from "./nats-like.ts";

/** A permission the server refused. */
export interface Denial {
  readonly operation: string;
  readonly subject: string;
}

/** Reads a refused permission out of whatever a client reports; undefined for any other error. */
export function denialOf(reason: unknown): Denial | undefined {
  if (typeof reason !== "object" || reason === null) return undefined;
  // nats-core has the two fields on the error itself, nats.ws on `permissionContext` of the error or the status.
  const context = (reason as { permissionContext?: unknown }).permissionContext ?? reason;
  const { operation, subject } = context as { operation?: unknown; subject?: unknown };
  if (typeof operation === "string" && typeof subject === "string") return { operation, subject };
  return denialOf((reason as { error?: unknown }).error ?? (reason as { cause?: unknown }).cause);
}

/** The error of a refused permission. */
export function denied(denial: Denial, cause?: unknown): EventError {
  const verb = denial.operation === "publish" ? "publish to" : "subscribe to";
  return new EventError("denied", `nats: no permission to ${verb} ${denial.subject}`, { cause });
}

/** Everything a client says about an error, in lower case: its class or code, and its message. */
function words(reason: unknown, depth = 0): string {
  if (typeof reason !== "object" || reason === null) return String(reason).toLowerCase();
  const { name, code, message, cause } = reason as Record<string, unknown>;
  const own = [name, code, message].filter((part) => typeof part === "string" || typeof part === "number").join(" ");
  return `${own} ${cause !== undefined && depth < 3 ? words(cause, depth + 1) : ""}`.toLowerCase();
}

/** Maps an error of the client to an {@link EventError}, by what it says rather than by its class. */
export function natsError(reason: unknown, what: string): EventError {
  if (reason instanceof EventError) return reason;
  const denial = denialOf(reason);
  if (denial !== undefined) return denied(denial, reason);
  const said = words(reason);
  const make = (code: EventError["code"], text: string, retryable: boolean): EventError =>
    new EventError(code, `nats: ${what}: ${text}`, { cause: reason, retryable });
  if (/no ?responders|\b503\b/.test(said)) return make("no-responders", "nobody listens", true);
  if (/timeout/.test(said) && !/authentication/.test(said)) return make("timeout", "no answer in time", true);
  if (/authorization|authentication/.test(said))
    return make("unauthorized", "the server refused the credentials", false);
  if (/closed|draining/.test(said)) return make("closed", "the connection is closed", false);
  if (/max_?payload/.test(said)) return make("too-large", "larger than the server takes", false);
  if (/subject/.test(said)) return make("invalid-destination", "the client refused the subject", false);
  return make("transport-failed", "the client failed", true);
}

/** The error behind an item of `status()`. */
export function statusError(status: NatsStatusLike): EventError {
  return natsError(status.error ?? { code: status.data, permissionContext: status.permissionContext }, "connection");
}
