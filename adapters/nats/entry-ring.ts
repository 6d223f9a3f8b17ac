import type { PublishCall } from "./publish-call.ts";
import type { EncodedMessage } from "./slab.ts";

/** An accepted message until the broker confirmed it. */
export interface Entry {
  readonly subject: string;
  readonly head: Uint8Array | undefined;
  body: Uint8Array;
  readonly bytes: number;
  /** When it was accepted. */
  readonly atMs: number;
  /** It went to the client at least once: it may be stored. */
  written: boolean;
  /** Settled before its turn (aborted): nothing is left but the place in the ring. */
  done: boolean;
  /** The publish call that waits for it; undefined for a `post`. */
  readonly call: PublishCall | undefined;
  /** Its place within that call. */
  readonly index: number;
}

/** Makes an entry. One shape for every message, so that the engine keeps one hidden class. */
export function entryOf(
  subject: string,
  encoded: EncodedMessage,
  atMs: number,
  call: PublishCall | undefined,
  index: number,
): Entry {
  const { head, body } = encoded;
  const bytes = (head === undefined ? 0 : head.length) + body.length;
  return { subject, head, body, bytes, atMs, written: false, done: false, call, index };
}

/**
 * A queue of entries by sequence number: `first` is the oldest, `next` the number the following `push` gets.
 * Grows by doubling, so an idle transport holds a few slots and a busy one never shifts an array.
 */
export class EntryRing {
  first = 0;
  next = 0;
  #slots: (Entry | undefined)[] = new Array(64).fill(undefined);

  push(entry: Entry): void {
    if (this.next - this.first === this.#slots.length) this.#grow();
    this.#slots[this.next++ & (this.#slots.length - 1)] = entry;
  }

  /** The entry of a number between `first` and `next`. */
  at(sequence: number): Entry {
    return this.#slots[sequence & (this.#slots.length - 1)]!;
  }

  /** Removes the oldest. */
  shift(): Entry {
    const slot = this.first++ & (this.#slots.length - 1);
    const entry = this.#slots[slot]!;
    this.#slots[slot] = undefined;
    return entry;
  }

  #grow(): void {
    const old = this.#slots;
    const slots: (Entry | undefined)[] = new Array(old.length * 2).fill(undefined);
    for (let n = this.first; n < this.next; n++) slots[n & (slots.length - 1)] = old[n & (old.length - 1)];
    this.#slots = slots;
  }
}
