import type { PublishOutcome } from "../../core/transport.ts";

/** A message between its acceptance and its outcome. */
export interface Pending {
  readonly subject: string;
  head: Uint8Array | undefined;
  body: Uint8Array | undefined;
  readonly bytes: number;
  readonly key: string | undefined;
  readonly partition: number | undefined;
  /** Its id came with it, so that whoever sends it again can use the same. */
  readonly recognised: boolean;
  /** When it was accepted. */
  atMs: number;
  /** When it was written last. */
  writtenMs: number;
  /** How often it went to the client. */
  sends: number;
  /** How often it was refused in passing. */
  refusals: number;
  /** Under which number the server answers. */
  token: number;
  /** No earlier message of its key is unfinished. */
  turn: boolean;
  done: boolean;
  /** What came after it with the same key. */
  next: Pending | undefined;
  /** Who waits for the outcome; undefined for a `post`. */
  readonly settled: ((outcome: PublishOutcome) => void) | undefined;
}

/** Lets one message of each key through at a time: two on their way could be stored in either order. */
export class KeyTurns {
  readonly #last = new Map<string, Pending>();

  /** True: it may go. False: it waits for its key. */
  enter(pending: Pending): boolean {
    const { key } = pending;
    if (key !== undefined) {
      const before = this.#last.get(key);
      this.#last.set(key, pending);
      if (before) {
        before.next = pending;
        return false;
      }
    }
    pending.turn = true;
    return true;
  }

  /** It is done: answers what may go now. */
  leave(pending: Pending): Pending | undefined {
    if (pending.key === undefined || !pending.turn) return undefined;
    let { next } = pending;
    // What was given up while it waited is passed over.
    while (next?.done) next = next.next;
    if (next) next.turn = true;
    else this.#last.delete(pending.key);
    return next;
  }
}
