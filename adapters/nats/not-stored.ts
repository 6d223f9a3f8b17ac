import type { EventError } from "../../core/errors.ts";
import type { PublishOutcome } from "../../core/transport.ts";

/**
 * The outcome of a message that was not confirmed; `mayBeStored` when it went to the client. What may be stored is safe
 * to send again only where the broker would recognise the second copy.
 */
export function notStored(error: EventError, mayBeStored = false, recognised = false): PublishOutcome {
  return { stored: false, outcome: mayBeStored ? "unknown" : "failed", retrySafe: !mayBeStored || recognised, error };
}
