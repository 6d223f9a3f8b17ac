import type { Denial } from "./errors.ts";

/**
 * Publishes the server refused. It names the subject alone, and before the PONG: whatever was written to that subject
 * by then is certainly not stored.
 */
export class Denials {
  readonly #bySubject = new Map<string, { readonly denial: Denial; readonly before: number }>();

  /** Remembers a refusal for the messages with a sequence number below `before`. */
  add(denial: Denial, before: number): void {
    if (denial.operation === "publish") this.#bySubject.set(denial.subject, { denial, before });
  }

  /** The refusal of a message, if there was one. */
  find(subject: string, sequence: number): Denial | undefined {
    if (this.#bySubject.size === 0) return undefined;
    const refusal = this.#bySubject.get(subject);
    return refusal !== undefined && refusal.before > sequence ? refusal.denial : undefined;
  }

  /** Forgets what concerns only messages below `first`. */
  forget(first: number): void {
    for (const [subject, { before }] of this.#bySubject) if (before <= first) this.#bySubject.delete(subject);
  }
}
