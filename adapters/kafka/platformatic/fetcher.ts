import { EventError } from "../../../core/errors.ts";
import type { IncomingRecord, PartitionOffset, TopicPartition } from "../driver.ts";
import { partitionMaxBytes } from "./config.ts";
import { code, isNetwork, toEventError } from "./errors.ts";
import { FetchedPartition } from "./fetched-partition.ts";
import { committedUnfiltered } from "./read-committed.ts";
import type { VendorConsumer, VendorFetched, VendorFetchPartition, VendorFetchResponse } from "./vendor.ts";

/** What all partitions together may hold, beside what each may hold alone. */
const maxBytes = 32 * 1024 * 1024;
/** How long to wait after a failure. */
const retryMs = 200;
const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

interface Request {
  readonly topicId: string;
  readonly partitions: Map<number, FetchedPartition>;
}

/**
 * Fetches ahead of what is taken: one request at a time to each broker, for the partitions that hold less than one
 * request may bring. A partition that is paused or full is left out, so that what waits stays bounded.
 */
export class Fetcher {
  readonly #client: VendorConsumer;
  readonly #failed: (error: EventError) => void;
  readonly #partitions = new Map<string, FetchedPartition>();
  readonly #asked = new Set<number>();
  #turn = 0;
  #locating = false;
  #stale = false;
  #again: ReturnType<typeof setTimeout> | undefined;
  #arrived: () => void = () => undefined;
  #closed = false;

  constructor(client: VendorConsumer, failed: (error: EventError) => void) {
    this.#client = client;
    this.#failed = failed;
  }

  /** Reads these partitions from these offsets on. */
  add(partitions: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of partitions) {
      const added = new FetchedPartition(topic, partition, BigInt(offset));
      this.#partitions.set(idOf(added), added);
    }
    this.#fill();
  }

  /** Forgets these partitions and what they hold. */
  remove(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.#partitions.delete(idOf(each));
  }

  pause(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const each of partitions) {
      const found = this.#partitions.get(idOf(each));
      if (found) found.paused = paused;
    }
    if (!paused) {
      this.#arrived();
      this.#fill();
    }
  }

  /** There is something to take. */
  get ready(): boolean {
    for (const { paused, length } of this.#partitions.values()) if (!paused && length > 0) return true;
    return false;
  }

  /** At most `max` records of partitions that are not paused, the partitions taking turns. */
  take(max: number): IncomingRecord[] {
    const records: IncomingRecord[] = [];
    const partitions = [...this.#partitions.values()];
    for (let n = 0; n < partitions.length && records.length < max; n++) {
      this.#turn = (this.#turn + 1) % partitions.length;
      const partition = partitions[this.#turn]!;
      if (!partition.paused && partition.length > 0) partition.take(max - records.length, records);
    }
    if (records.length > 0) this.#fill();
    return records;
  }

  /** Resolves when something arrived, or after `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#arrived = done;
    });
  }

  watermarks(partition: TopicPartition): { readonly low: number; readonly high: number } | undefined {
    return this.#partitions.get(idOf(partition))?.watermarks;
  }

  /** Everything below was taken, or is nothing to be read. Undefined while something waits to be taken. */
  reached(partition: TopicPartition): number | undefined {
    const found = this.#partitions.get(idOf(partition));
    return found?.length === 0 ? Number(found.position) : undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#partitions.clear();
    this.#arrived();
  }

  /** Asks every broker that is not asked yet and leads a partition with room. */
  #fill(): void {
    if (this.#locating) {
      this.#stale = true;
      return;
    }
    if (this.#closed || !this.#wanted().next().value) return;
    this.#locating = true;
    this.#stale = false;
    void this.#locate()
      .catch((cause: unknown) => this.#rest(cause))
      .finally(() => {
        this.#locating = false;
        // What changed meanwhile may have been looked at too early.
        if (this.#stale) this.#fill();
      });
  }

  *#wanted(): Generator<FetchedPartition> {
    const now = Date.now();
    let held = 0;
    for (const { bytes } of this.#partitions.values()) held += bytes;
    for (const each of this.#partitions.values()) {
      if (each.paused || each.fetching || each.restUntil > now) continue;
      if (each.bytes === 0 || (each.bytes < partitionMaxBytes && held < maxBytes)) yield each;
    }
  }

  async #locate(): Promise<void> {
    const topics = [...new Set([...this.#partitions.values()].map(({ topic }) => topic))];
    const metadata = await this.#client.metadata({ topics });
    const requests = new Map<number, Map<string, Request>>();
    let leaderless = false;
    for (const wanted of this.#wanted()) {
      const layout = metadata.topics.get(wanted.topic);
      const leader = layout?.partitions[wanted.partition]?.leader ?? -1;
      if (!layout || leader < 0) leaderless = true;
      else if (!this.#asked.has(leader)) {
        const byTopic = requests.get(leader) ?? new Map<string, Request>();
        requests.set(leader, byTopic);
        const request = byTopic.get(wanted.topic) ?? { topicId: layout.id, partitions: new Map() };
        byTopic.set(wanted.topic, request);
        request.partitions.set(wanted.partition, wanted);
      }
    }
    for (const [node, byTopic] of requests) void this.#ask(node, [...byTopic.values()]);
    if (leaderless) this.#rest(undefined);
  }

  async #ask(node: number, requests: readonly Request[]): Promise<void> {
    this.#asked.add(node);
    for (const { partitions } of requests) for (const each of partitions.values()) each.fetching = true;
    const topics = requests.map(request);
    let failure: unknown;
    try {
      this.#answered(requests, await this.#client.fetch({ node, topics, isolationLevel: committedUnfiltered }));
    } catch (cause) {
      failure = cause;
      // One partition's error rejects the whole fetch: what came beside it lies in the error.
      const { response } = cause as { response?: VendorFetchResponse };
      if (response) this.#answered(requests, response);
    }
    this.#asked.delete(node);
    for (const { partitions } of requests) for (const each of partitions.values()) each.fetching = false;
    if (failure === undefined) this.#fill();
    else this.#rest(failure);
  }

  #answered(requests: readonly Request[], { responses }: VendorFetchResponse): void {
    let some = false;
    for (const { topicId, partitions } of responses) {
      const request = requests.find((each) => each.topicId === topicId);
      for (const fetched of partitions) {
        const partition = request?.partitions.get(fetched.partitionIndex);
        // Taken away meanwhile, and perhaps given back to begin elsewhere.
        if (!partition || this.#partitions.get(idOf(partition)) !== partition) continue;
        if (fetched.errorCode !== 0) void this.#refused(partition, fetched);
        else {
          partition.accept(fetched);
          some ||= partition.length > 0 && !partition.paused;
        }
      }
    }
    if (some) this.#arrived();
  }

  async #refused(partition: FetchedPartition, { errorCode }: VendorFetched): Promise<void> {
    partition.restUntil = Date.now() + retryMs;
    if (errorCode === code.unknownTopic || errorCode === code.unknownTopicId) {
      const gone = new EventError("invalid-destination", `Kafka has no partition ${idOf(partition)} any more`);
      this.#failed(gone);
    } else if (errorCode === code.offsetOutOfRange) {
      const { topic, partition: index } = partition;
      try {
        // Retention has removed this position: nothing of what is left is skipped.
        const options = { topics: [topic], partitions: { [topic]: [index] }, timestamp: -2n };
        partition.position = (await this.#client.listOffsets(options)).get(topic)![index]!;
      } catch (cause) {
        this.#failed(toEventError(cause, "Kafka did not tell where a partition begins"));
      }
    }
  }

  /** Goes on after a while, with leaders looked up anew. */
  #rest(cause: unknown): void {
    if (this.#closed) return;
    // An outage is told by the connection.
    if (cause !== undefined && !isNetwork(cause)) this.#failed(toEventError(cause, "Kafka did not deliver"));
    this.#client.clearMetadata();
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#fill(), retryMs + 10);
  }
}

function request({ topicId, partitions }: Request): { topicId: string; partitions: VendorFetchPartition[] } {
  const list = [...partitions.values()].map(({ partition, position }) => ({
    partition,
    fetchOffset: position,
    partitionMaxBytes,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
  }));
  return { topicId, partitions: list };
}
