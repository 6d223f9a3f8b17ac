import { EventError } from "../../../core/errors.ts";
import type { AssignedPartition, ConsumerSource, PartitionOffset, TopicPartition } from "../driver.ts";
import { askLeader } from "../leader-moves.ts";
import type { Connection } from "./connection.ts";
import { codeOf, toEventError } from "./errors.ts";
import { called, type VendorConsumer } from "./vendor.ts";

const requestMs = 5_000;
const topicMs = 10_000;
const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/**
 * Decides where a partition begins for which the group has no offset. librdkafka's `auto.offset.reset: latest` would
 * decide that whenever a partition is assigned, and skip what was written between two owners; here "new" is fixed
 * once, when the subscription is made, and partitions that appear later begin with their first record.
 */
export class StartPositions {
  readonly #ends = new Map<string, number>();
  readonly #client: VendorConsumer;
  readonly #source: ConsumerSource;

  constructor(client: VendorConsumer, source: ConsumerSource) {
    this.#client = client;
    this.#source = source;
  }

  /** Looks the topics up and returns all their partitions. Rejects with `invalid-destination` for a missing one. */
  async open(connection: Connection): Promise<TopicPartition[]> {
    const found: TopicPartition[] = [];
    for (const topic of this.#source.topics) found.push(...(await partitionsOf(connection, topic)));
    if (this.#source.from === "new") {
      const ends = found.map(async (at) => {
        const ask = (): Promise<{ highOffset: number }> =>
          called((done) => this.#client.queryWatermarkOffsets(at.topic, at.partition, requestMs, done));
        const { highOffset } = await askLeader(ask, codeOf);
        this.#ends.set(idOf(at), highOffset);
      });
      await Promise.all(ends).catch((error: unknown) => {
        throw toEventError(error, "Kafka did not tell where a topic ends");
      });
    }
    return found;
  }

  /** Where reading begins in each of these partitions. */
  async of(partitions: readonly TopicPartition[]): Promise<AssignedPartition[]> {
    if (partitions.length === 0) return [];
    const committed = new Map<string, number>();
    if (this.#source.group !== undefined) {
      const known = await called<readonly PartitionOffset[]>((done) =>
        this.#client.committed(partitions, requestMs, done as never),
      );
      for (const each of known) if (each.offset >= 0) committed.set(idOf(each), each.offset);
    }
    return partitions.map(({ topic, partition }) => {
      const id = idOf({ topic, partition });
      const stored = committed.get(id);
      return { topic, partition, start: stored ?? this.#ends.get(id), uncommitted: stored === undefined };
    });
  }
}

/** The partitions of a topic, which is created where the broker allows that. Rejects with `invalid-destination`. */
export async function partitionsOf(connection: Connection, topic: string): Promise<TopicPartition[]> {
  // Asking for a missing topic creates it where the broker allows that, which takes a moment.
  for (const until = Date.now() + topicMs; Date.now() < until; ) {
    const metadata = await connection.metadata(topic, requestMs).catch(() => undefined);
    const partitions = metadata?.topics.find((each) => each.name === topic)?.partitions ?? [];
    if (partitions.length > 0) return partitions.map(({ id }) => ({ topic, partition: id }));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new EventError("invalid-destination", `Kafka has no topic "${topic}" and did not create it`, {
    retryable: true,
  });
}
