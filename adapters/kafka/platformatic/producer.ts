import { EventError } from "../../../core/errors.ts";
import type { KafkaProducer, OutgoingRecord, ProduceFailure, ProduceReport, ProducerEvents } from "../driver.ts";
import { encode } from "../utf8.ts";
import { clientConfig, type PlatformaticDriverOptions, producerConfig } from "./config.ts";
import { Link, limited } from "./link.ts";
import { partitionOf } from "./murmur2.ts";
import { type Item, PartitionQueue } from "./partition-queue.ts";
import { Sender } from "./sender.ts";
import { layoutOf } from "./topics.ts";
import type { Vendor, VendorProducer } from "./vendor.ts";

/** How long a topic may take to come into being. */
const topicMs = 10_000;
/** How old a topic's layout may get before it is looked up again. */
const layoutMs = 30_000;
const leaderlessMs = 250;
const closeMs = 1_000;

interface Topic {
  readonly name: string;
  /** Accepted before the topic was looked up. */
  waiting: Item[];
  partitions: PartitionQueue[];
  lookedUpAt: number;
  looking: boolean;
  turn: number;
}

/** Opens a producer that batches by itself: the client sends what one call holds, and nothing together. */
export async function openProducer(
  vendor: Vendor,
  options: PlatformaticDriverOptions,
  events: ProducerEvents,
): Promise<KafkaProducer> {
  const lookup = new vendor.Producer(clientConfig(options));
  const link = new Link(lookup, options, events);
  try {
    await link.open();
  } catch (error) {
    void lookup.close(true).catch(() => undefined);
    throw error;
  }
  return new PlatformaticProducer(vendor, options, lookup, link, events);
}

class PlatformaticProducer implements KafkaProducer {
  readonly deliveryTimeoutMs: number;
  readonly #vendor: Vendor;
  readonly #options: PlatformaticDriverOptions;
  readonly #lookup: VendorProducer;
  readonly #link: Link;
  readonly #events: ProducerEvents;
  readonly #topics = new Map<string, Topic>();
  readonly #senders = new Map<number, Sender>();
  #idle: (() => void)[] = [];
  #now = 0;
  #closed = false;

  constructor(
    vendor: Vendor,
    options: PlatformaticDriverOptions,
    lookup: VendorProducer,
    link: Link,
    events: ProducerEvents,
  ) {
    this.#vendor = vendor;
    this.#options = options;
    this.#lookup = lookup;
    this.#link = link;
    this.#events = events;
    this.deliveryTimeoutMs = options.deliveryTimeoutMs ?? 60_000;
  }

  produce(record: OutgoingRecord, report: ProduceReport): ProduceFailure | undefined {
    const topic = this.#topics.get(record.topic) ?? this.#newTopic(record.topic);
    const key = record.key === undefined ? undefined : encode(record.key);
    const item: Item = { record, key, report, queuedAt: this.#clock() };
    if (topic.partitions.length === 0) topic.waiting.push(item);
    else this.#enqueue(topic, item);
    return undefined;
  }

  async flush(timeoutMs: number): Promise<void> {
    if (!this.#busy) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    // A timeout is no error here: the transport counts its own reports.
    await limited(idle, timeoutMs).catch(() => undefined);
  }

  async close(timeoutMs: number): Promise<void> {
    if (timeoutMs > 0) await this.flush(timeoutMs);
    this.#closed = true;
    this.#link.close();
    const closing = [...this.#senders.values()].map((sender) => sender.close());
    closing.push(this.#lookup.close(true));
    await limited(Promise.allSettled(closing), closeMs).catch(() => undefined);
  }

  newClient(): VendorProducer {
    const client = new this.#vendor.Producer(producerConfig(this.#options));
    this.#link.watch(client);
    return client;
  }

  released(queue: PartitionQueue, moved: boolean): void {
    queue.busy = false;
    const topic = this.#topics.get(queue.topic);
    if (moved && topic) void this.#look(topic);
    this.#schedule(queue);
    if (this.#idle.length > 0 && !this.#busy) for (const wake of this.#idle.splice(0)) wake();
  }

  get #busy(): boolean {
    for (const { waiting, partitions } of this.#topics.values()) {
      if (waiting.length > 0 || partitions.some((queue) => queue.busy || queue.length > 0)) return true;
    }
    return false;
  }

  // One reading of the clock serves a whole turn.
  #clock(): number {
    if (this.#now === 0) {
      this.#now = Date.now();
      queueMicrotask(() => {
        this.#now = 0;
      });
    }
    return this.#now;
  }

  #newTopic(name: string): Topic {
    const topic: Topic = { name, waiting: [], partitions: [], lookedUpAt: 0, looking: false, turn: 0 };
    this.#topics.set(name, topic);
    void this.#look(topic);
    return topic;
  }

  #enqueue(topic: Topic, item: Item): void {
    const { partitions } = topic;
    const index = item.key ? partitionOf(item.key, partitions.length) : this.#nextTurn(topic);
    const queue = partitions[index]!;
    queue.push(item);
    this.#schedule(queue);
    if (item.queuedAt - topic.lookedUpAt > layoutMs) void this.#look(topic);
  }

  #nextTurn(topic: Topic): number {
    const { partitions } = topic;
    for (let tried = 0; tried < partitions.length; tried++) {
      topic.turn = (topic.turn + 1) % partitions.length;
      if (partitions[topic.turn]!.leader >= 0) break;
    }
    return topic.turn;
  }

  #schedule(queue: PartitionQueue): void {
    if (queue.busy || queue.length === 0 || this.#closed) return;
    if (queue.leader < 0) {
      queue.busy = true;
      setTimeout(() => this.#leaderless(queue), leaderlessMs);
      return;
    }
    let sender = this.#senders.get(queue.leader);
    if (!sender) {
      sender = new Sender(this);
      this.#senders.set(queue.leader, sender);
    }
    sender.add(queue);
  }

  #leaderless(queue: PartitionQueue): void {
    const oldest = Date.now() - this.deliveryTimeoutMs;
    const batch = queue.take();
    const kept = batch.filter(({ queuedAt }) => queuedAt > oldest);
    queue.giveBack(kept);
    const error = new EventError("timeout", `No broker leads ${queue.topic}/${queue.partition}`, { retryable: true });
    for (const item of batch)
      if (item.queuedAt <= oldest) item.report.failed({ outcome: "failed", fatal: false, error });
    this.released(queue, true);
  }

  /** Looks the topic up, the first time or again. What waits for a topic that is missing fails. */
  async #look(topic: Topic): Promise<void> {
    if (topic.looking || this.#closed) return;
    topic.looking = true;
    try {
      const { leaders } = await layoutOf(this.#lookup, topic.name, topicMs);
      // A topic that was made anew with fewer partitions: what waited for the others is dealt out again.
      for (const queue of topic.partitions.slice(leaders.length)) topic.waiting.push(...queue.empty());
      topic.partitions = leaders.map((leader, index) => {
        const queue = topic.partitions[index] ?? new PartitionQueue(topic.name, index, leader);
        queue.leader = leader;
        return queue;
      });
      topic.lookedUpAt = Date.now();
      for (const item of topic.waiting.splice(0)) this.#enqueue(topic, item);
    } catch (reason) {
      const error = EventError.from(reason);
      // One that was known once may come back: what waits for it fails by its own time.
      if (topic.partitions.length > 0) this.#events.failed(error);
      else this.#drop(topic, error);
    } finally {
      topic.looking = false;
    }
  }

  #drop(topic: Topic, error: EventError): void {
    this.#topics.delete(topic.name);
    for (const { report } of topic.waiting.splice(0)) report.failed({ outcome: "failed", fatal: false, error });
    if (this.#idle.length > 0 && !this.#busy) for (const wake of this.#idle.splice(0)) wake();
  }
}
