// FAKE drivers of what is loaded on demand: no broker, no network. The test says what the client would answer.
import type {
  ConnectionEvents,
  IncomingRecord,
  KafkaAdmin,
  KafkaReader,
  KafkaTransactions,
  NewTopic,
  OutgoingRecord,
  PartitionRange,
  ProduceFailure,
  TopicDescription,
  TopicSettings,
} from "../../../adapters/kafka/driver.ts";
import { FakeDriver, turn } from "./fake-driver.ts";

/** What a partition holds: offsets of records, and where it ends. All else in it is a gap. */
export interface FakeLog {
  readonly low: number;
  readonly end: number;
  readonly offsets: readonly number[];
}

const record = (partition: number, offset: number): IncomingRecord => ({
  topic: "t",
  partition,
  offset,
  key: null,
  value: new Uint8Array(1),
  headers: [],
  timestampMs: 0,
  bytes: 1,
});

/** Reads from logs. A gap is known only after a poll that brought nothing, as with the real clients. */
export class FakeReader implements KafkaReader {
  readonly logs: readonly FakeLog[];
  /** What may lie in one poll. */
  chunk = 3;
  polls = 0;
  closed = false;
  /** When set, the next poll fails with it. */
  failure: unknown;
  /** When set, polls wait for it. */
  gate: Promise<void> | undefined;
  #partition = -1;
  #next = 0;
  #reached: number | undefined;

  constructor(logs: readonly FakeLog[]) {
    this.logs = logs;
  }

  async ranges(): Promise<readonly PartitionRange[]> {
    return this.logs.map(({ low, end }, partition) => ({ partition, low, end }));
  }

  start(partition: number, offset: number): void {
    this.#partition = partition;
    this.#next = offset;
    this.#reached = undefined;
  }

  async poll(max: number): Promise<readonly IncomingRecord[]> {
    this.polls++;
    await this.gate;
    if (this.failure) {
      const { failure } = this;
      this.failure = undefined;
      throw failure;
    }
    const { offsets, end } = this.logs[this.#partition]!;
    const left = offsets.filter((offset) => offset >= this.#next).slice(0, Math.min(max, this.chunk));
    if (left.length > 0) this.#next = left.at(-1)! + 1;
    else {
      await turn();
      this.#reached = Math.max(end, this.#next);
    }
    return left.map((offset) => record(this.#partition, offset));
  }

  reached(): number | undefined {
    return this.#reached;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Topics in a map. */
export class FakeAdmin implements KafkaAdmin {
  readonly topics = new Map<string, TopicDescription & { settings?: Partial<TopicSettings> }>();
  readonly created: NewTopic[] = [];
  /** Runs before a topic is created: the place of a rival. */
  before: (topic: NewTopic) => void = () => undefined;
  closed = false;

  async describe(topic: string, create: boolean): Promise<TopicDescription | undefined> {
    if (create && !this.topics.has(topic)) this.topics.set(topic, { partitions: 1, replicas: 1, led: true });
    return this.topics.get(topic);
  }

  async settings(topic: string): Promise<TopicSettings> {
    const known = this.topics.get(topic)?.settings ?? {};
    return { compacts: undefined, deletes: undefined, maxMessageBytes: undefined, ...known };
  }

  async create(topic: NewTopic): Promise<boolean> {
    this.before(topic);
    if (this.topics.has(topic.topic)) return false;
    this.created.push(topic);
    this.topics.set(topic.topic, { partitions: topic.partitions, replicas: topic.replicas, led: true });
    return true;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Holds every transaction until the test ends it. */
export class FakeTransactions implements KafkaTransactions {
  readonly calls: {
    readonly records: readonly OutgoingRecord[];
    readonly signal: AbortSignal;
    committing(): void;
    end(failure?: ProduceFailure): void;
  }[] = [];
  closed = false;

  store(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
    committing: () => void,
  ): Promise<ProduceFailure | undefined> {
    return new Promise((end) => this.calls.push({ records, signal, committing, end }));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A driver that can all of it. */
export class FakeStoredDriver extends FakeDriver {
  reader = new FakeReader([]);
  readonly admin = new FakeAdmin();
  readonly transactions = new FakeTransactions();
  events: ConnectionEvents | undefined;

  async openReader(_topic: string, events: ConnectionEvents): Promise<KafkaReader> {
    await this.gate;
    this.events = events;
    return this.reader;
  }

  async openAdmin(): Promise<KafkaAdmin> {
    return this.admin;
  }

  async openTransactions(): Promise<KafkaTransactions> {
    await turn();
    return this.transactions;
  }
}
