import type { Pending } from "./batch.ts";

/** Everything accepted and not yet reported, in the order of acceptance, with its size. */
export class PendingList {
  #first: Pending | undefined;
  #last: Pending | undefined;
  messages = 0;
  bytes = 0;

  add(pending: Pending): void {
    pending.previous = this.#last;
    if (this.#last) this.#last.next = pending;
    else this.#first = pending;
    this.#last = pending;
    this.messages++;
    this.bytes += pending.bytes;
  }

  /** False when it is not in the list any more: a client may report twice around a close. */
  remove(pending: Pending): boolean {
    const { previous, next } = pending;
    if (!previous && this.#first !== pending) return false;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    pending.previous = undefined;
    pending.next = undefined;
    this.messages--;
    this.bytes -= pending.bytes;
    return true;
  }

  /** A copy, so that each may be removed on the way. */
  all(): Pending[] {
    const list: Pending[] = [];
    for (let each = this.#first; each; each = each.next) list.push(each);
    return list;
  }
}
