/** What a {@link Chain} holds: it is in one chain at most. */
export interface Chained<T> {
  /** What came after it. */
  following: T | undefined;
}

/**
 * First in, first out, linked through the items themselves: for short queues that come and go with each event, where an
 * array would be made and grown anew each time.
 */
export class Chain<T extends Chained<T>> {
  first: T | undefined;
  #last: T | undefined;

  /** `item` is in no chain. */
  push(item: T): void {
    if (this.first) this.#last!.following = item;
    else this.first = item;
    this.#last = item;
  }

  shift(): T | undefined {
    const { first } = this;
    if (!first) return undefined;
    this.first = first.following;
    // Should it live on in the old part of the heap, it would keep all that follow.
    first.following = undefined;
    return first;
  }

  /** Takes as long as there are items before it. Nothing when it is not in this chain. */
  remove(item: T): void {
    let before: T | undefined;
    for (let each = this.first; each; before = each, each = each.following) {
      if (each !== item) continue;
      if (before) before.following = item.following;
      else this.first = item.following;
      if (this.#last === item) this.#last = before;
      item.following = undefined;
      return;
    }
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let item = this.first; item; item = item.following) yield item;
  }
}
