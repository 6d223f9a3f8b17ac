import type { HoldLimits } from "./options.ts";

/** What waits for credit: first in, first out, bounded by count and bytes. */
export class HoldQueue<T> {
  readonly #limits: HoldLimits;
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #start = 0;
  #bytes = 0;

  constructor(limits: HoldLimits, sizeOf: (item: T) => number) {
    this.#limits = limits;
    this.#sizeOf = sizeOf;
  }

  get length(): number {
    return this.#items.length - this.#start;
  }

  /** False when the bound would be passed. An empty queue takes any one item. */
  push(item: T): boolean {
    const bytes = this.#sizeOf(item);
    const { maxMessages, maxBytes } = this.#limits;
    if (this.length > 0 && (this.length >= maxMessages || this.#bytes + bytes > maxBytes)) return false;
    this.#items.push(item);
    this.#bytes += bytes;
    return true;
  }

  /** Puts back what was taken: it comes first again, whatever the bounds say. */
  unshift(item: T): void {
    if (this.#start > 0) this.#items[--this.#start] = item;
    else this.#items.unshift(item);
    this.#bytes += this.#sizeOf(item);
  }

  shift(): T {
    const item = this.#items[this.#start]!;
    this.#items[this.#start++] = undefined as T;
    this.#bytes -= this.#sizeOf(item);
    // Moving the rest down once in a while costs less than shifting an array every time.
    if (this.#start > 1_024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#start = 0;
    this.#bytes = 0;
  }
}
