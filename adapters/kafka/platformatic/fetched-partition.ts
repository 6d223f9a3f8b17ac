import type { IncomingRecord, TopicPartition } from "../driver.ts";
import { committed } from "./read-committed.ts";
import { PlatformaticRecord } from "./records.ts";
import type { VendorFetched } from "./vendor.ts";

/** One partition that is read: where reading stands, and what was fetched and not taken yet. */
export class FetchedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to fetch. */
  position: bigint;
  paused = false;
  /** A request for it is on its way. */
  fetching = false;
  /** Not to be asked for before this time of the clock. */
  restUntil = 0;
  /** About what the records in here hold in memory. */
  bytes = 0;
  watermarks: { readonly low: number; readonly high: number } | undefined;
  #records: IncomingRecord[] = [];
  #head = 0;

  constructor(topic: string, partition: number, position: bigint) {
    this.topic = topic;
    this.partition = partition;
    this.position = position;
  }

  get length(): number {
    return this.#records.length - this.#head;
  }

  /** Keeps what a fetch brought, and advances. A fetch brings whole batches, records below the position among them. */
  accept(fetched: VendorFetched): void {
    const from = Number(this.position);
    if (fetched.highWatermark >= 0n) {
      this.watermarks = { low: Math.max(0, Number(fetched.logStartOffset)), high: Number(fetched.highWatermark) };
    }
    for (const batch of committed(fetched)) {
      const first = Number(batch.firstOffset);
      for (const record of batch.records) {
        const offset = first + record.offsetDelta;
        if (offset < from) continue;
        const kept = new PlatformaticRecord(this.topic, this.partition, offset, batch, record);
        this.#records.push(kept);
        this.bytes += kept.bytes;
      }
    }
    // Past the markers and what was aborted as well.
    const last = fetched.records?.at(-1);
    if (last) this.position = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
  }

  /** Moves at most `max` records to `into`. */
  take(max: number, into: IncomingRecord[]): void {
    const end = Math.min(this.#records.length, this.#head + max);
    for (; this.#head < end; this.#head++) {
      const record = this.#records[this.#head]!;
      this.bytes -= record.bytes;
      into.push(record);
    }
    if (this.#head < this.#records.length) return;
    this.#records = [];
    this.#head = 0;
  }
}
