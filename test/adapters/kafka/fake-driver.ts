import type {
  ConsumerEvents,
  ConsumerSource,
  IncomingRecord,
  KafkaConsumer,
  KafkaDriver,
  KafkaProducer,
  OutgoingRecord,
  PartitionOffset,
  ProduceFailure,
  ProduceReport,
  ProducerEvents,
  TopicPartition,
} from "../../../adapters/kafka/driver.ts";
import { EventError } from "../../../core/errors.ts";

const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A FAKE driver: no broker, no network. The test says what the client would report. */
export class FakeDriver implements KafkaDriver {
  readonly name = "fake";
  readonly producers: FakeProducer[] = [];
  readonly consumers: FakeConsumer[] = [];
  /** When set, opening fails with it. */
  unreachable: EventError | undefined;
  /** When set, opening waits for it. */
  gate: Promise<void> | undefined;

  encode(text: string): Uint8Array {
    return new TextEncoder().encode(text);
  }

  async openProducer(_options: unknown, events: ProducerEvents): Promise<KafkaProducer> {
    await this.gate;
    if (this.unreachable) throw this.unreachable;
    const producer = new FakeProducer(events);
    this.producers.push(producer);
    return producer;
  }

  async openConsumer(source: ConsumerSource, events: ConsumerEvents): Promise<KafkaConsumer> {
    await this.gate;
    if (this.unreachable) {
      events.disconnected(this.unreachable);
      throw this.unreachable;
    }
    const consumer = new FakeConsumer(source, events);
    this.consumers.push(consumer);
    consumer.events.assigned([]);
    return consumer;
  }
}

/** Holds every record until the test reports on it. */
export class FakeProducer implements KafkaProducer {
  readonly events: ProducerEvents;
  readonly sent: { record: OutgoingRecord; report: ProduceReport }[] = [];
  refusal: ProduceFailure | undefined;
  /** Reports each record at once, at the next offset of partition 0. */
  automatic = false;
  closed = false;
  /** Runs when the transport closes the producer: the place for the last reports. */
  onClose: () => void = () => undefined;

  constructor(events: ProducerEvents) {
    this.events = events;
  }

  produce(record: OutgoingRecord, report: ProduceReport): ProduceFailure | undefined {
    if (this.refusal) return this.refusal;
    const offset = this.sent.push({ record, report }) - 1;
    if (this.automatic) queueMicrotask(() => report.stored(0, offset));
    return undefined;
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.onClose();
    this.closed = true;
  }
}

/** Delivers what the test feeds it and honours pauses, with the overshoot a real client has. */
export class FakeConsumer implements KafkaConsumer {
  readonly source: ConsumerSource;
  readonly events: ConsumerEvents;
  readonly commits: PartitionOffset[][] = [];
  /** Decides about each commit. */
  answer: (offsets: readonly PartitionOffset[]) => Promise<void> = async () => undefined;
  readonly ends = new Map<string, { low: number; high: number }>();
  readonly pausedNow = new Set<string>();
  polls = 0;
  closed = false;
  #log: IncomingRecord[] = [];
  #wake: () => void = () => undefined;

  constructor(source: ConsumerSource, events: ConsumerEvents) {
    this.source = source;
    this.events = events;
  }

  /** Appends `count` records to a partition, from `first` on. */
  feed(partition: number, first: number, count = 1, value: Uint8Array = new Uint8Array(1)): void {
    for (let offset = first; offset < first + count; offset++) {
      this.#log.push({
        topic: "t",
        partition,
        offset,
        key: null,
        value,
        headers: [],
        timestampMs: 0,
        bytes: value.byteLength,
      });
    }
    this.#wake();
  }

  async poll(max: number): Promise<readonly IncomingRecord[]> {
    this.polls++;
    const ready = this.#log.filter((record) => !this.pausedNow.has(idOf(record))).slice(0, max);
    if (ready.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 5);
      });
      return [];
    }
    const taken = new Set(ready);
    this.#log = this.#log.filter((record) => !taken.has(record));
    await turn();
    return ready;
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.pausedNow.add(idOf(each));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.pausedNow.delete(idOf(each));
    this.#wake();
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    this.commits.push([...offsets]);
    await this.answer(offsets);
  }

  watermarks(partition: TopicPartition): { low: number; high: number } | undefined {
    return this.ends.get(idOf(partition));
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** The last offset committed for a partition, whatever the answer was. */
  committed(partition: number): number | undefined {
    return this.commits.flat().findLast((each) => each.partition === partition)?.offset;
  }
}

export const fatal = (): ProduceFailure => ({
  outcome: "unknown",
  fatal: true,
  error: new EventError("transport-failed", "fatal"),
});
