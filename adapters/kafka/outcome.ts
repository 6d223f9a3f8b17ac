import { EventError } from "../../core/errors.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { ProduceFailure } from "./driver.ts";

/** A record the broker stored. A negative offset is one it does not tell: it had the record already. */
export function storedAt(partition: number, offset: number): PublishOutcome {
  return { stored: true, at: offset >= 0 ? { partition, offset } : { partition } };
}

/**
 * A record that is not confirmed. Kafka recognises repeats within one producer only, so what may be stored is never
 * safe to send again.
 */
export function notStored(failure: ProduceFailure): PublishOutcome {
  return {
    stored: false,
    outcome: failure.outcome,
    retrySafe: failure.outcome === "failed",
    error: failure.error,
  };
}

/** A record the client never got. */
export function refused(error: EventError): PublishOutcome {
  return { stored: false, outcome: "failed", retrySafe: true, error };
}

/** A record on its way when its caller, or the transport, stopped waiting. */
export function unresolved(error: EventError): PublishOutcome {
  return { stored: false, outcome: "unknown", retrySafe: false, error };
}

/** The error of a publish whose signal aborted. */
export function aborted(signal: AbortSignal): EventError {
  return new EventError("aborted", "The publish was aborted", { cause: signal.reason });
}
