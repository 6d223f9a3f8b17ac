import { EventError } from "../../../core/errors.ts";

// The part of `@confluentinc/kafka-javascript` this driver calls. Structural, so that nothing here needs its types.

/** An error of librdkafka. */
export interface VendorError {
  readonly code: number;
  readonly message: string;
  readonly isFatal?: boolean;
  readonly isRetriable?: boolean;
  readonly isTxnRequiresAbort?: boolean;
}

/** A record as the binding hands it over. */
export interface VendorMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly size: number;
  /** One object of one property per header. */
  readonly headers?: readonly object[];
}

/** A partition, with an offset where the call takes one. */
export interface VendorPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset?: number;
}

/** A delivery report. */
export interface VendorReport {
  readonly partition: number;
  readonly offset: number;
  readonly opaque?: unknown;
}

/** What a metadata request tells. */
export interface VendorMetadata {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly { readonly id: number }[] }[];
}

/** A callback with an error first. */
export type VendorCallback<T = unknown> = (error: VendorError | null | undefined, value: T) => void;

/** What both clients have. */
export interface VendorClient {
  connect(options: { timeout?: number }, done: VendorCallback): unknown;
  on(event: "event.error" | "error", listener: (error: VendorError) => void): unknown;
  getMetadata(options: { topic?: string; timeout?: number }, done: VendorCallback<VendorMetadata>): unknown;
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    done: VendorCallback<{ lowOffset: number; highOffset: number }>,
  ): unknown;
  isConnected(): boolean;
}

/** librdkafka's producer. */
export interface VendorProducer extends VendorClient {
  produce(
    topic: string,
    partition: number | null,
    value: Uint8Array | null,
    key: Uint8Array | string | null,
    timestamp: number | null,
    opaque: unknown,
    headers: readonly object[] | undefined,
  ): unknown;
  poll(): unknown;
  setPollInBackground(on: boolean): unknown;
  flush(timeoutMs: number, done: VendorCallback): unknown;
  disconnect(timeoutMs: number, done: VendorCallback): unknown;
  initTransactions(timeoutMs: number, done: VendorCallback): unknown;
  beginTransaction(done: VendorCallback): unknown;
  commitTransaction(timeoutMs: number, done: VendorCallback): unknown;
  abortTransaction(timeoutMs: number, done: VendorCallback): unknown;
}

/** What a read position met: everything before it was handed over. */
export interface VendorEnd {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A topic as librdkafka's admin describes it. */
export interface VendorTopic {
  readonly name: string;
  readonly error?: VendorError;
  readonly partitions?: readonly {
    readonly partition: number;
    readonly leader?: { readonly id: number };
    readonly replicas: readonly unknown[];
  }[];
}

/** librdkafka's admin, over the connections of another client. */
export interface VendorAdmin {
  createTopic(
    topic: {
      topic: string;
      num_partitions: number;
      replication_factor: number;
      config: Readonly<Record<string, string>>;
    },
    timeoutMs: number,
    done: VendorCallback,
  ): void;
  describeTopics(
    topics: readonly string[],
    options: { timeout: number },
    done: VendorCallback<readonly VendorTopic[]>,
  ): void;
  deleteRecords(
    records: readonly VendorPartition[],
    options: { timeout: number; operationTimeout: number },
    done: VendorCallback<readonly { readonly error?: VendorError }[]>,
  ): void;
}

/** librdkafka's consumer. */
export interface VendorConsumer extends Omit<VendorClient, "on"> {
  on(event: "event.error" | "error", listener: (error: VendorError) => void): unknown;
  on(event: "partition.eof", listener: (end: VendorEnd) => void): unknown;
  subscribe(topics: readonly string[]): unknown;
  unsubscribe(): unknown;
  consume(max: number, done: VendorCallback<readonly VendorMessage[]>): void;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(on: boolean): void;
  assign(partitions: readonly VendorPartition[]): unknown;
  unassign(): unknown;
  incrementalAssign(partitions: readonly VendorPartition[]): unknown;
  incrementalUnassign(partitions: readonly VendorPartition[]): unknown;
  assignments(): readonly VendorPartition[];
  assignmentLost(): boolean;
  rebalanceProtocol(): string;
  pause(partitions: readonly VendorPartition[]): unknown;
  resume(partitions: readonly VendorPartition[]): unknown;
  commit(partitions: readonly VendorPartition[]): unknown;
  committed(
    partitions: readonly VendorPartition[],
    timeoutMs: number,
    done: VendorCallback<readonly VendorPartition[]>,
  ): unknown;
  getWatermarkOffsets(topic: string, partition: number): { lowOffset: number; highOffset: number };
  disconnect(done: VendorCallback): unknown;
}

/** librdkafka's settings, by their own names. */
export type VendorConfig = Record<string, unknown>;

/** The module. */
export interface Vendor {
  readonly Producer: new (config: VendorConfig, topicConfig: VendorConfig) => VendorProducer;
  readonly KafkaConsumer: new (config: VendorConfig, topicConfig: VendorConfig) => VendorConsumer;
  readonly AdminClient: { createFrom(client: VendorConsumer): VendorAdmin };
}

/** Loads the client library when it is first needed. Rejects with `peer-missing` where it is not installed. */
export async function loadVendor(): Promise<Vendor> {
  try {
    const loaded = (await import("@confluentinc/kafka-javascript")) as unknown as { default?: Vendor } & Vendor;
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new EventError(
      "peer-missing",
      "confluentDriver needs the package @confluentinc/kafka-javascript: npm install @confluentinc/kafka-javascript",
      { cause },
    );
  }
}

/** Turns a call that ends in a callback into a promise. */
export function called<T>(call: (done: VendorCallback<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)));
  });
}
