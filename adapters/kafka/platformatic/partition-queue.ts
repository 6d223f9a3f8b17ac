import type { OutgoingRecord, ProduceReport } from "../driver.ts";

// Batches above a topic's `max.message.bytes` are refused whole: this stays below the broker's default.
const maxBatchBytes = 768 * 1024;
const maxBatchRecords = 1_000;
// About what the format adds to a record, and to each of its headers.
const recordBytes = 32;
const headerBytes = 48;

/** A record that waits for its turn. */
export interface Item {
  readonly record: OutgoingRecord;
  readonly key: Uint8Array | undefined;
  readonly report: ProduceReport;
  readonly queuedAt: number;
}

/** What waits for one partition, in order. Only the batch taken last may be on its way. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** The node that leads it; negative while none does. */
  leader: number;
  /** A batch is on its way, or waits to be sent again. */
  busy = false;
  #items: Item[] = [];
  #head = 0;
  #limit = maxBatchRecords;

  constructor(topic: string, partition: number, leader: number) {
    this.topic = topic;
    this.partition = partition;
    this.leader = leader;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** The next batch: one record always, however large, and more as far as they fit. */
  take(): Item[] {
    let bytes = 0;
    let end = this.#head;
    for (const last = Math.min(this.#items.length, this.#head + this.#limit); end < last; end++) {
      const { value, headers } = this.#items[end]!.record;
      bytes += (value?.byteLength ?? 0) + recordBytes + headers.length * (headerBytes / 2);
      if (bytes > maxBatchBytes && end > this.#head) break;
    }
    const batch = this.#items.slice(this.#head, end);
    this.#head = end;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 4_096) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  /** Puts a batch back in front: nothing of it was stored. */
  giveBack(batch: readonly Item[]): void {
    this.#items = [...batch, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes everything. */
  empty(): Item[] {
    const items = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return items;
  }

  /** The broker took a batch: the next may hold one record more. */
  grow(): void {
    if (this.#limit < maxBatchRecords) this.#limit++;
  }

  /** A batch of so many records was too large for the topic. */
  shrink(records: number): void {
    this.#limit = Math.max(1, records >> 1);
  }
}
