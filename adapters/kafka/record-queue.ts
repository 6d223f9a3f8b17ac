import type { IncomingRecord } from "./driver.ts";

/** A queue of records that knows its size in bytes. Every operation is O(1) amortised. */
export class RecordQueue {
  #records: (IncomingRecord | undefined)[] = [];
  #head = 0;
  bytes = 0;

  get length(): number {
    return this.#records.length - this.#head;
  }

  push(record: IncomingRecord): void {
    this.#records.push(record);
    this.bytes += record.bytes;
  }

  peek(): IncomingRecord | undefined {
    return this.#records[this.#head];
  }

  shift(): IncomingRecord | undefined {
    const record = this.#records[this.#head];
    if (!record) return undefined;
    this.#records[this.#head++] = undefined; // not held until the array is compacted
    this.bytes -= record.bytes;
    if (this.#head === this.#records.length) this.clear();
    else if (this.#head > 256 && this.#head * 2 > this.#records.length) {
      this.#records.splice(0, this.#head);
      this.#head = 0;
    }
    return record;
  }

  clear(): void {
    this.#records = [];
    this.#head = 0;
    this.bytes = 0;
  }
}
