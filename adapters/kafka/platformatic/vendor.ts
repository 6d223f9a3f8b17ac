import { EventError } from "../../../core/errors.ts";

// The part of `@platformatic/kafka` this driver calls. Structural, so that nothing here needs its types.

/** Where a partition lives. */
export interface VendorPartition {
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas?: readonly number[];
}

/** A topic as the brokers describe it. */
export interface VendorTopic {
  readonly id: string;
  readonly partitions: readonly VendorPartition[];
  readonly partitionsCount: number;
}

/** What a metadata request tells. */
export interface VendorMetadata {
  readonly topics: ReadonlyMap<string, VendorTopic | undefined>;
}

/** What every client has. */
export interface VendorClient {
  // biome-ignore lint/suspicious/noExplicitAny: each event has a payload of its own
  on(event: string, listener: (payload: any) => void): unknown;
  metadata(options: { topics: string[]; autocreateTopics?: boolean; forceUpdate?: boolean }): Promise<VendorMetadata>;
  clearMetadata(): void;
  close(force: boolean): Promise<void>;
}

/** A message to send. Every value is a `Buffer`: a string never settles without serializers. */
export interface VendorMessage {
  readonly topic: string;
  readonly partition: number;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
  /** Keyed by buffers, so that one name may come twice. */
  readonly headers: ReadonlyMap<Uint8Array, Uint8Array>;
}

/** Where records of one partition were stored. */
export interface VendorOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The client's producer. */
export interface VendorProducer extends VendorClient {
  send(options: { messages: readonly VendorMessage[] }): Promise<{ readonly offsets?: readonly VendorOffset[] }>;
}

/** Which producer of a transactional id this is. */
export interface VendorProducerInfo {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** One transaction. Until something is sent in it the brokers know nothing of it. */
export interface VendorTransaction {
  send(options: { messages: readonly VendorMessage[] }): Promise<unknown>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** The client's producer, with a transactional id. */
export interface VendorTransactions extends VendorClient {
  readonly producerId: bigint | undefined;
  readonly producerEpoch: number | undefined;
  beginTransaction(options: Partial<VendorProducerInfo>): Promise<VendorTransaction>;
}

/** The client's admin. It takes whatever its `close` is given for a callback. */
export interface VendorAdmin extends Omit<VendorClient, "close"> {
  close(): Promise<void>;
  createTopics(options: {
    topics: { topic: string; partitions: number; replicas: number }[];
    configs: { name: string; value: string }[];
  }): Promise<unknown>;
  describeConfigs(options: {
    resources: { resourceType: number; resourceName: string; configurationKeys: string[] }[];
  }): Promise<readonly { readonly configs: readonly { readonly name: string; readonly value?: string | null }[] }[]>;
}

/** A record inside a batch. */
export interface VendorRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly key: Uint8Array | null | undefined;
  readonly value: Uint8Array | null | undefined;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array | null | undefined])[];
}

/** A batch of records, as it lies in the log. */
export interface VendorBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly records: readonly VendorRecord[];
}

/** What a fetch brought from one partition. */
export interface VendorFetched {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly logStartOffset: bigint;
  readonly abortedTransactions?: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[] | null;
  readonly records?: readonly VendorBatch[] | null;
}

/** The answer to a fetch. */
export interface VendorFetchResponse {
  readonly responses: readonly { readonly topicId: string; readonly partitions: readonly VendorFetched[] }[];
}

/** One partition of a fetch request. */
export interface VendorFetchPartition {
  partition: number;
  fetchOffset: bigint;
  partitionMaxBytes: number;
  currentLeaderEpoch: number;
  lastFetchedEpoch: number;
}

/** Partitions of one topic. */
export interface VendorAssignment {
  readonly topic: string | undefined;
  readonly partitions: readonly number[];
}

/** The client's consumer. */
export interface VendorConsumer extends VendorClient {
  readonly assignments: readonly VendorAssignment[] | null;
  readonly memberId: string | null;
  readonly generationId: number;
  readonly topics: { trackAll(...topics: string[]): unknown };
  joinGroup(options: object): Promise<unknown>;
  consume(options: {
    topics: string[];
  }): Promise<{ on(event: "error", listener: () => void): unknown; close(): Promise<void> }>;
  fetch(options: {
    node: number;
    topics: { topicId: string; partitions: VendorFetchPartition[] }[];
    isolationLevel: string;
  }): Promise<VendorFetchResponse>;
  commit(options: {
    offsets: { topic: string; partition: number; offset: bigint; leaderEpoch: number }[];
  }): Promise<void>;
  listOffsets(options: {
    topics: string[];
    partitions?: Record<string, number[]>;
    timestamp?: bigint;
  }): Promise<ReadonlyMap<string, readonly bigint[]>>;
  listCommittedOffsets(options: {
    topics: { topic: string; partitions: number[] }[];
  }): Promise<ReadonlyMap<string, readonly (bigint | undefined)[]>>;
}

/** Options of a client, by the vendor's own names. */
export type VendorConfig = Record<string, unknown>;

/** The module. */
export interface Vendor {
  readonly Producer: new (config: VendorConfig) => VendorProducer & VendorTransactions;
  readonly Consumer: new (config: VendorConfig) => VendorConsumer;
  readonly Admin: new (config: VendorConfig) => VendorAdmin;
}

/** Loads the client library when it is first needed. Rejects with `peer-missing` where it is not installed. */
export async function loadVendor(): Promise<Vendor> {
  try {
    return (await import("@platformatic/kafka")) as unknown as Vendor;
  } catch (cause) {
    throw new EventError(
      "peer-missing",
      "platformaticDriver needs the package @platformatic/kafka, and Deno, Bun or Node 22.22: npm install @platformatic/kafka",
      { cause },
    );
  }
}
