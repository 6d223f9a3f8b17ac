import type { IncomingRecord } from "./driver.ts";

/**
 * A queue of records that knows its size in bytes. Every operation is O(1) amortised. The array keeps its length, since
 * it fills and empties with every poll.
 */
export class RecordQueue {
  readonly #records: (IncomingRecord | undefined)[] = [];
  #head = 0;
  #tail = 0;
  bytes = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  push(record: IncomingRecord): void {
    // A partition that is never quite empty.
    if (this.#head > 256 && this.#head * 2 > this.#tail) this.#moveToFront();
    this.#records[this.#tail++] = record;
    this.bytes += record.bytes;
  }

  peek(): IncomingRecord | undefined {
    return this.#head < this.#tail ? this.#records[this.#head] : undefined;
  }

  shift(): IncomingRecord | undefined {
    const record = this.peek();
    if (!record) return undefined;
    this.#records[this.#head++] = undefined; // not held any longer
    this.bytes -= record.bytes;
    if (this.#head === this.#tail) this.#head = this.#tail = 0;
    return record;
  }

  clear(): void {
    this.#records.length = this.#head = this.#tail = this.bytes = 0;
  }

  #moveToFront(): void {
    this.#records.copyWithin(0, this.#head, this.#tail);
    const { length } = this;
    this.#records.fill(undefined, length, this.#tail);
    this.#head = 0;
    this.#tail = length;
  }
}
