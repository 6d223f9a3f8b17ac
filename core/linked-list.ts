/** What a {@link LinkedList} holds: it is in one list at most. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * Items in the order in which they came, linked through themselves: any of them leaves in one step. For what comes and
 * goes with each event. In V8 a `Set` would do the same at the price of most of the garbage collection there is: a
 * table it has outgrown points to the next, so that one that lived long enough to be old keeps all that follow, and
 * what they held, until the next full collection. It also looks through what was removed from its beginning each time
 * it is asked for its first entry.
 */
export class LinkedList<T extends Linked<T>> {
  first: T | undefined;
  size = 0;
  #last: T | undefined;

  /** `item` is in no list. */
  push(item: T): void {
    item.previous = this.#last;
    if (this.#last) this.#last.next = item;
    else this.first = item;
    this.#last = item;
    this.size++;
  }

  /** `item` is in this list or in none. It points to nothing afterwards, so that it keeps nothing. */
  remove(item: T): void {
    const { previous, next } = item;
    if (!previous && this.first !== item) return;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    item.previous = item.next = undefined;
    this.size--;
  }

  /** Meanwhile the item at hand may be removed, and no other. */
  *[Symbol.iterator](): Iterator<T> {
    for (let item = this.first; item; ) {
      const { next } = item;
      yield item;
      item = next;
    }
  }
}
