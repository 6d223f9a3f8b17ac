import type { EventError } from "../../../core/errors.ts";
import type { ConnectionEvents, IncomingRecord, KafkaReader, PartitionRange } from "../driver.ts";
import { askLeader } from "../leader-moves.ts";
import type { ConfluentDriverOptions } from "./config.ts";
import { code, codeOf } from "./errors.ts";
import { ConfluentRecord } from "./records.ts";
import { missing, refusal, topicIfAny } from "./topic-lookup.ts";
import { openUngrouped, type Ungrouped } from "./ungrouped.ts";
import { called, type Vendor, type VendorAdmin, type VendorMessage } from "./vendor.ts";

const pollMs = 100;
const requestMs = 5_000;

/** Opens a consumer that is told each partition it reads, and tells where each of them ends. */
export async function openReader(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  topic: string,
  events: ConnectionEvents,
): Promise<KafkaReader> {
  // A fetch that waits at the broker would hold up the next partition, and the word of where this one ends.
  const own = { "enable.partition.eof": true, "allow.auto.create.topics": false, "fetch.wait.max.ms": 20 };
  const ungrouped = await openUngrouped(vendor, options, own, events);
  ungrouped.client.setDefaultConsumeTimeout(pollMs);
  ungrouped.client.setDefaultIsTimeoutOnlyForFirstMessage(true);
  return new ConfluentReader(ungrouped, vendor.AdminClient.createFrom(ungrouped.client), topic);
}

class ConfluentReader implements KafkaReader {
  readonly #ungrouped: Ungrouped;
  readonly #admin: VendorAdmin;
  readonly #topic: string;
  #partition = -1;
  #reached: number | undefined;

  constructor(ungrouped: Ungrouped, admin: VendorAdmin, topic: string) {
    this.#ungrouped = ungrouped;
    this.#admin = admin;
    this.#topic = topic;
    // Comes behind every record before it, and before the poll that brings it resolves.
    ungrouped.client.on("partition.eof", ({ partition, offset }) => {
      if (partition === this.#partition) this.#reached = offset;
    });
  }

  async ranges(): Promise<readonly PartitionRange[]> {
    const { client } = this.#ungrouped;
    try {
      const found = await topicIfAny(this.#admin, this.#topic);
      if (!found) throw missing(this.#topic);
      const ranges: PartitionRange[] = [];
      for (const { partition } of found.partitions ?? []) {
        // By the isolation of this client, which reads what is committed: the end is the last stable offset.
        const ask = (): Promise<{ lowOffset: number; highOffset: number }> =>
          called((done) => client.queryWatermarkOffsets(this.#topic, partition, requestMs, done));
        const { lowOffset, highOffset } = await askLeader(ask, codeOf);
        ranges.push({ partition, low: Math.max(0, lowOffset), end: highOffset });
      }
      return ranges.sort((a, b) => a.partition - b.partition);
    } catch (cause) {
      throw this.#failure(cause, "Kafka did not tell where a topic ends");
    }
  }

  start(partition: number, offset: number): void {
    this.#partition = partition;
    this.#reached = undefined;
    this.#ungrouped.client.assign([{ topic: this.#topic, partition, offset }]);
  }

  async poll(max: number): Promise<readonly IncomingRecord[]> {
    try {
      const batch = await called<readonly VendorMessage[]>((done) => this.#ungrouped.client.consume(max, done));
      return batch.map((message) => new ConfluentRecord(message));
    } catch (cause) {
      throw this.#failure(cause, "Kafka did not deliver");
    }
  }

  reached(): number | undefined {
    return this.#reached;
  }

  close(): Promise<void> {
    return this.#ungrouped.close();
  }

  #failure(cause: unknown, what: string): EventError {
    const known = codeOf(cause);
    if (known === code.unknownTopic || known === code.localUnknownTopic) return missing(this.#topic, cause);
    return refusal(cause, what);
  }
}
