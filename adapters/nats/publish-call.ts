import type { EventError } from "../../core/errors.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { Entry } from "./entry-ring.ts";

const STORED: PublishOutcome = { stored: true, at: {} };

/** The outcome of a message that was not confirmed. */
export function notStored(error: EventError, outcome: "failed" | "unknown"): PublishOutcome {
  // Core NATS cannot recognise a second copy: only what was certainly not stored may be sent again.
  return { stored: false, outcome, retrySafe: outcome === "failed", error };
}

/** One call of `publish`: collects the outcomes of its messages and resolves when the last is known. */
export class PublishCall {
  readonly #outcomes: PublishOutcome[];
  readonly #resolve: (outcomes: readonly PublishOutcome[]) => void;
  #left: number;
  /** Its entries in the buffer; kept only when the call can be aborted. */
  entries: Entry[] | undefined;
  /** Called when the last outcome is known. */
  onSettled: (() => void) | undefined;

  constructor(size: number, resolve: (outcomes: readonly PublishOutcome[]) => void) {
    this.#outcomes = new Array(size);
    this.#left = size;
    this.#resolve = resolve;
  }

  stored(index: number): void {
    this.settle(index, STORED);
  }

  settle(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome;
    if (--this.#left > 0) return;
    this.onSettled?.();
    this.#resolve(this.#outcomes);
  }
}
