import type { EventError } from "../../core/errors.ts";
import type { HeaderEntries } from "../../core/message.ts";

/** One partition of one topic. */
export interface TopicPartition {
  /** The topic's name. */
  readonly topic: string;
  /** From 0. */
  readonly partition: number;
}

/** A partition and an offset in it. */
export interface PartitionOffset extends TopicPartition {
  /** Of a record: its own. Of a commit: the next one to be read. */
  readonly offset: number;
}

/** A partition that a consumer was given. */
export interface AssignedPartition extends TopicPartition {
  /** The first offset that will be read, where the driver knows it. */
  readonly start?: number | undefined;
  /** The group has no offset for this partition yet: `start` is to be committed, or a later owner would start anew. */
  readonly uncommitted: boolean;
}

/** A record to write. The adapter has checked names, values and size. */
export interface OutgoingRecord {
  /** A plain name. A missing topic is created where the brokers allow that. */
  readonly topic: string;
  /** Hashed by murmur2 as Java's clients do. Undefined: any partition. */
  readonly key: string | undefined;
  /** null is a tombstone; zero bytes are an empty value. */
  readonly value: Uint8Array | null;
  /** Text is written as UTF-8. Duplicates and their order are kept. */
  readonly headers: HeaderEntries;
}

/** A record as it was read. */
export interface IncomingRecord extends PartitionOffset {
  /** null: the record has none. */
  readonly key: Uint8Array | null;
  /** null is a tombstone; zero bytes are an empty value. */
  readonly value: Uint8Array | null;
  /** Name, value, name, value: duplicates and their order are kept. */
  readonly headers: readonly (string | Uint8Array | null)[];
  /** Unix milliseconds. */
  readonly timestampMs: number;
  /** About what it holds in memory. */
  readonly bytes: number;
}

/** Why a record was not confirmed. */
export interface ProduceFailure {
  /** `failed`: certainly not stored. `unknown`: it may be stored. */
  readonly outcome: "failed" | "unknown";
  /** The producer will accept nothing more: it must be closed and replaced. */
  readonly fatal: boolean;
  /** What the publisher of the record gets. */
  readonly error: EventError;
}

/** Receives what became of one record: exactly one call, or none when the producer is closed before. */
export interface ProduceReport {
  /** `offset` is negative when the broker had the record already and does not tell where. */
  stored(partition: number, offset: number): void;
  /** Not confirmed, and the driver has stopped trying. */
  failed(failure: ProduceFailure): void;
}

/** An open producer. Batches, retries and keeps the order within each partition by itself. */
export interface KafkaProducer {
  /** Queues a record. A refusal is returned, and then `report` is not called. */
  produce(record: OutgoingRecord, report: ProduceReport): ProduceFailure | undefined;
  /** Sends what is queued without waiting for more. Resolves when all is reported, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** Gives up what is left after `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** What a client tells about its connections. */
export interface ConnectionEvents {
  /** A broker answers again, after `disconnected`. */
  connected(): void;
  /** No broker answers any more. The client goes on trying. */
  disconnected(error: EventError): void;
  /** Something went wrong that no call reports. */
  failed(error: EventError): void;
}

/** What a producer tells beside its reports. */
export interface ProducerEvents extends ConnectionEvents {
  /** The producer will accept nothing more. */
  fatal(error: EventError): void;
}

/** What a consumer tells. Calls are serialised: the next waits for the promise of the one before. */
export interface ConsumerEvents extends ConnectionEvents {
  /** These partitions are now read, beside those already held. Also called once when none was given. */
  assigned(partitions: readonly AssignedPartition[]): void;
  /**
   * These partitions go once the promise resolves. `lost`: another member may own them already, so nothing may be
   * committed. Polling goes on meanwhile.
   */
  revoking(partitions: readonly TopicPartition[], lost: boolean): Promise<void>;
}

/** What a consumer reads. */
export interface ConsumerSource {
  /** At least one, each once; no patterns. */
  readonly topics: readonly string[];
  /** Undefined: every partition, without a group and without commits. */
  readonly group: string | undefined;
  /** Where to begin in partitions for which the group has no offset. `new`: what is written from now on. */
  readonly from: "new" | "earliest";
}

/** An open consumer. It is a member only while it is polled. */
export interface KafkaConsumer {
  /** At most `max` records, waiting a short while (about 100 ms) for the first. */
  poll(max: number): Promise<readonly IncomingRecord[]>;
  /** Leaves these partitions out of `poll`. Takes effect within one poll. */
  pause(partitions: readonly TopicPartition[]): void;
  /** Takes these partitions into `poll` again, from where it left off. */
  resume(partitions: readonly TopicPartition[]): void;
  /** Settles with the broker's own answer. Rejects with `fenced` where a rebalance is the reason. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /** The ends of a partition as last seen, without asking the broker. `high` is the next offset to be written. */
  watermarks(partition: TopicPartition): { readonly low: number; readonly high: number } | undefined;
  /** Leaves the group; calls `revoking` before. Keep polling until it resolves. */
  close(): Promise<void>;
}

/** What can be read of a partition now. */
export interface PartitionRange {
  /** From 0. */
  readonly partition: number;
  /** The first offset that is still stored. */
  readonly low: number;
  /** The offset behind the last one that no open transaction can still take back. */
  readonly end: number;
}

/** Reads what is stored, one partition at a time: in no group, without commits, and nothing that was aborted. */
export interface KafkaReader {
  /** Every partition, in order. Rejects with `invalid-destination` for a missing topic, which is not created. */
  ranges(): Promise<readonly PartitionRange[]>;
  /** Goes on in this partition at this offset, and forgets the one before. No `poll` may be under way. */
  start(partition: number, offset: number): void;
  /** At most `max` records, waiting a short while (about 100 ms) for the first. */
  poll(max: number): Promise<readonly IncomingRecord[]>;
  /** Everything below was polled, or is nothing to be read: aborted, compacted or a marker. Undefined: not known yet. */
  reached(): number | undefined;
  /** Ends the reading. */
  close(): Promise<void>;
}

/** A topic as its brokers describe it. */
export interface TopicDescription {
  /** How many it has. */
  readonly partitions: number;
  /** How many brokers keep each of them. */
  readonly replicas: number;
  /** Each of them has a leader. */
  readonly led: boolean;
}

/** Settings of a topic. Undefined: the brokers do not tell this client. */
export interface TopicSettings {
  /** Whether records go that a later one of their key has replaced. */
  readonly compacts: boolean | undefined;
  /** Whether records go that are too old or too many. */
  readonly deletes: boolean | undefined;
  /** The largest batch of records it takes, in bytes. */
  readonly maxMessageBytes: number | undefined;
}

/** A topic to create. */
export interface NewTopic {
  /** A plain name. */
  readonly topic: string;
  /** At least 1. */
  readonly partitions: number;
  /** At least 1. */
  readonly replicas: number;
  /** By Kafka's own names, such as `cleanup.policy`. */
  readonly config: Readonly<Record<string, string>>;
}

/** Looks at topics and creates them. */
export interface KafkaAdmin {
  /**
   * Undefined where there is no such topic. With `create` it is looked up as a consumer does: created where the brokers
   * do that by themselves, else it rejects with `invalid-destination`.
   */
  describe(topic: string, create: boolean): Promise<TopicDescription | undefined>;
  /** Changes nothing. */
  settings(topic: string): Promise<TopicSettings>;
  /** False: there is one already. Rejects with `denied` where the brokers do not allow it. */
  create(topic: NewTopic): Promise<boolean>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** The one producer of a transactional id. */
export interface KafkaTransactions {
  /**
   * Stores all records or none; one call at a time. Undefined: all are stored. A failure that is not `fatal` was undone,
   * or will be before the next begins; `unknown`, when the answer to the commit is missing, is always fatal. Its code is
   * `fenced` once another producer has the id. `signal` gives up what is not being committed yet: `committing` is called
   * right before.
   */
  store(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
    committing: () => void,
  ): Promise<ProduceFailure | undefined>;
  /** Gives up what is not stored. */
  close(timeoutMs: number): Promise<void>;
}

/** What the transport asks of the producer of a transactional id. */
export interface TransactionOptions extends ProducerOptions {
  /** The transactional id. */
  readonly name: string;
}

/** A Kafka client library, behind what the transport needs of one. */
export interface KafkaDriver {
  /** For errors and logs. */
  readonly name: string;
  /** UTF-8, by the fastest means the driver's runtime has. */
  encode(text: string): Uint8Array;
  /** Connects. Rejects with `unreachable`, `unauthorized` or `peer-missing`. */
  openProducer(options: ProducerOptions, events: ProducerEvents): Promise<KafkaProducer>;
  /** Connects and subscribes. Rejects as {@link openProducer} does, and with `invalid-destination` for a missing topic. */
  openConsumer(source: ConsumerSource, events: ConsumerEvents): Promise<KafkaConsumer>;
  /** Connects. Rejects as {@link openProducer} does. Without it `read` is `unsupported`. */
  openReader?(topic: string, events: ConnectionEvents): Promise<KafkaReader>;
  /** Connects. Rejects as {@link openProducer} does. Without it `ensure` is `unsupported`. */
  openAdmin?(events: ConnectionEvents): Promise<KafkaAdmin>;
  /**
   * Connects, fences every earlier producer of the id and undoes what it left. Rejects as {@link openProducer} does.
   * Without it `openTransactions` is `unsupported`.
   */
  openTransactions?(options: TransactionOptions, events: ConnectionEvents): Promise<KafkaTransactions>;
}

/** What the transport asks of a producer. */
export interface ProducerOptions {
  /** Largest record, in bytes. */
  readonly maxMessageBytes: number;
}
