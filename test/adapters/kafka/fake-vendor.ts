import type {
  VendorAssignment,
  VendorBatch,
  VendorConsumer,
  VendorFetchResponse,
  VendorMetadata,
} from "../../../adapters/kafka/platformatic/vendor.ts";

type Fetch = Parameters<VendorConsumer["fetch"]>[0];

/** A FAKE client of @platformatic/kafka: no network. The test answers what is asked. */
export class FakeVendorConsumer implements VendorConsumer {
  readonly config: Record<string, unknown>;
  readonly listeners = new Map<string, ((payload: unknown) => void)[]>();
  readonly fetches: { request: Fetch; answer(response: VendorFetchResponse): void; fail(error: unknown): void }[] = [];
  readonly commits: unknown[] = [];
  readonly topics = { trackAll: (): void => undefined };
  layout: VendorMetadata = { topics: new Map() };
  beginning = 0n;
  committedOffsets: ReadonlyMap<string, readonly (bigint | undefined)[]> = new Map();
  assignments: readonly VendorAssignment[] | null = null;
  memberId: string | null = null;
  generationId = 0;
  joins = 0;
  closed = false;

  constructor(config: Record<string, unknown> = {}) {
    this.config = config;
  }

  on(event: string, listener: (payload: unknown) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }
  emit(event: string, payload?: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(payload);
  }
  async metadata(): Promise<VendorMetadata> {
    return this.layout;
  }
  clearMetadata(): void {}
  async close(): Promise<void> {
    this.closed = true;
  }
  async joinGroup(): Promise<void> {
    this.joins++;
  }
  async consume(): Promise<{ on(): void; close(): Promise<void> }> {
    return { on: () => undefined, close: async () => undefined };
  }
  fetch(request: Fetch): Promise<VendorFetchResponse> {
    return new Promise((resolve, reject) => this.fetches.push({ request, answer: resolve, fail: reject }));
  }
  async commit(options: unknown): Promise<void> {
    this.commits.push(options);
  }
  async listOffsets({ topics }: { topics: string[] }): Promise<ReadonlyMap<string, readonly bigint[]>> {
    return new Map(topics.map((topic) => [topic, Array.from({ length: 10 }, () => this.beginning)]));
  }
  async listCommittedOffsets(): Promise<ReadonlyMap<string, readonly (bigint | undefined)[]>> {
    return this.committedOffsets;
  }
}

/** A topic of so many partitions, all led by `leaders` in turn. */
export function layout(topic: string, partitions: number, leaders: readonly number[] = [1]): VendorMetadata {
  const list = Array.from({ length: partitions }, (_, n) => ({ leader: leaders[n % leaders.length]!, leaderEpoch: 0 }));
  return { topics: new Map([[topic, { id: `id-${topic}`, partitions: list, partitionsCount: partitions }]]) };
}

/** A batch of `count` records of `bytes` each. */
export function batchOf(firstOffset: number, count: number, bytes = 10): VendorBatch {
  const records = Array.from({ length: count }, (_, offsetDelta) => ({
    offsetDelta,
    timestampDelta: 0n,
    key: undefined,
    value: new Uint8Array(bytes),
    headers: [],
  }));
  const header = { attributes: 0, firstTimestamp: 0n, maxTimestamp: 0n, producerId: -1n };
  return { ...header, firstOffset: BigInt(firstOffset), lastOffsetDelta: count - 1, records };
}

/** An answer with one partition's batches, or its error. */
export function fetched(
  topic: string,
  partition: number,
  batches: readonly VendorBatch[],
  errorCode = 0,
): VendorFetchResponse {
  const one = { partitionIndex: partition, errorCode, highWatermark: 100n, logStartOffset: 3n, records: batches };
  return { responses: [{ topicId: `id-${topic}`, partitions: [one] }] };
}
