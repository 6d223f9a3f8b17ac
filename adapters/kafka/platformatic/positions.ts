import type { AssignedPartition, ConsumerSource, TopicPartition } from "../driver.ts";
import { askLeader } from "../leader-moves.ts";
import { apiCodeOf, toEventError } from "./errors.ts";
import { limited } from "./link.ts";
import { layoutOf } from "./topics.ts";
import type { VendorConsumer } from "./vendor.ts";

const requestMs = 5_000;
const topicMs = 10_000;
/** Kafka's names for the ends of a partition. */
export const earliest: bigint = -2n;
export const latest: bigint = -1n;

export const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** A partition whose beginning is known. */
export interface StartedPartition extends AssignedPartition {
  readonly start: number;
}

/**
 * Decides where a partition begins for which the group has no offset. "new" is fixed once, when the subscription is
 * made, so that nothing between two owners is skipped; partitions that appear later begin with their first record.
 */
export class StartPositions {
  readonly #ends = new Map<string, number>();
  readonly #reader: VendorConsumer;
  readonly #source: ConsumerSource;

  constructor(reader: VendorConsumer, source: ConsumerSource) {
    this.#reader = reader;
    this.#source = source;
  }

  /** Looks the topics up and returns all their partitions. Rejects with `invalid-destination` for a missing one. */
  async open(): Promise<TopicPartition[]> {
    const found: TopicPartition[] = [];
    for (const topic of this.#source.topics) {
      const { leaders } = await layoutOf(this.#reader, topic, topicMs);
      found.push(...leaders.map((_, partition) => ({ topic, partition })));
    }
    if (this.#source.from === "new") {
      try {
        for (const [id, offset] of await listedOffsets(this.#reader, found, latest)) this.#ends.set(id, offset);
      } catch (error) {
        throw toEventError(error, "Kafka did not tell where a topic ends");
      }
    }
    return found;
  }

  /** Where reading begins in each of these partitions. `member` is asked for the group's offsets. */
  async of(partitions: readonly TopicPartition[], member?: VendorConsumer): Promise<StartedPartition[]> {
    if (partitions.length === 0) return [];
    const committed = member ? await this.#committed(partitions, member) : new Map<string, number>();
    const unknown = partitions.filter((each) => !committed.has(idOf(each)) && !this.#ends.has(idOf(each)));
    const begins = await listedOffsets(this.#reader, unknown, earliest);
    return partitions.map((each) => {
      const id = idOf(each);
      const stored = committed.get(id);
      const start = stored ?? this.#ends.get(id) ?? begins.get(id) ?? 0;
      return { topic: each.topic, partition: each.partition, start, uncommitted: stored === undefined };
    });
  }

  async #committed(partitions: readonly TopicPartition[], member: VendorConsumer): Promise<Map<string, number>> {
    const topics = [...byTopic(partitions)].map(([topic, list]) => ({ topic, partitions: list }));
    const answer = await limited(member.listCommittedOffsets({ topics }), requestMs);
    const committed = new Map<string, number>();
    for (const each of partitions) {
      const offset = answer.get(each.topic)?.[each.partition];
      if (offset !== undefined && offset >= 0n) committed.set(idOf(each), Number(offset));
    }
    return committed;
  }
}

/** Where these partitions begin or end, as the client's isolation lets it read them. */
export async function listedOffsets(
  reader: VendorConsumer,
  partitions: readonly TopicPartition[],
  which: bigint,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  if (partitions.length === 0) return found;
  const wanted = byTopic(partitions);
  const options = { topics: [...wanted.keys()], partitions: Object.fromEntries(wanted), timestamp: which };
  const answer = await askLeader(
    () => limited(reader.listOffsets(options), requestMs),
    apiCodeOf,
    () => reader.clearMetadata(),
  );
  for (const each of partitions) {
    const offset = answer.get(each.topic)?.[each.partition];
    if (offset !== undefined && offset >= 0n) found.set(idOf(each), Number(offset));
  }
  return found;
}

function byTopic(partitions: readonly TopicPartition[]): Map<string, number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return topics;
}
