import type { OutgoingRecord } from "../driver.ts";
import { encode } from "../utf8.ts";
import { partitionOf } from "./murmur2.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { vendorMessage } from "./records.ts";
import { layoutOf } from "./topics.ts";
import type { VendorClient, VendorMessage } from "./vendor.ts";

const topicMs = 10_000;
/** How old a topic's layout may get before it is looked up again. */
const layoutMs = 30_000;
/** The most one request holds, over all its partitions. */
const maxSendRecords = 4_000;
const nobodyWaits = { stored: () => undefined, failed: () => undefined };

/** Deals the records of a transaction out to partitions, as the producer does, in batches the brokers take. */
export class TransactionBatches {
  readonly #lookup: VendorClient;
  readonly #partitions = new Map<string, { readonly count: number; readonly lookedUpAt: number }>();
  #turn = 0;

  constructor(lookup: VendorClient) {
    this.#lookup = lookup;
  }

  /** What one send after the other takes. A batch has at most `batchRecords`. */
  async *of(records: readonly OutgoingRecord[], batchRecords: number): AsyncGenerator<readonly VendorMessage[]> {
    const queues = new Map<string, PartitionQueue>();
    for (const record of records) {
      const { topic } = record;
      const key = record.key === undefined ? undefined : encode(record.key);
      // Known but for the first: a turn of the event loop for each record would cost more than sending it.
      const count = this.#known(topic) ?? (await this.#look(topic));
      const partition = key ? partitionOf(key, count) : this.#turn++ % count;
      const id = `${topic}/${partition}`;
      let queue = queues.get(id);
      if (!queue) {
        queue = new PartitionQueue(topic, partition, 0);
        queue.shrink(batchRecords * 2);
        queues.set(id, queue);
      }
      queue.push({ record, key, report: nobodyWaits, queuedAt: 0 });
    }
    while (queues.size > 0) {
      const messages: VendorMessage[] = [];
      for (const [id, queue] of queues) {
        if (messages.length >= maxSendRecords) break;
        for (const { record, key } of queue.take()) messages.push(vendorMessage(record, key, queue.partition));
        if (queue.length === 0) queues.delete(id);
      }
      yield messages;
    }
  }

  #known(topic: string): number | undefined {
    const found = this.#partitions.get(topic);
    return found && Date.now() - found.lookedUpAt < layoutMs ? found.count : undefined;
  }

  async #look(topic: string): Promise<number> {
    const { leaders } = await layoutOf(this.#lookup, topic, topicMs);
    this.#partitions.set(topic, { count: leaders.length, lookedUpAt: Date.now() });
    return leaders.length;
  }

  /** Looks every topic up again. */
  forget(): void {
    this.#partitions.clear();
  }

  close(): Promise<void> {
    return this.#lookup.close(true);
  }
}
