import { EventError } from "../../../core/errors.ts";
import type { PartitionOffset, TopicPartition } from "../driver.ts";
import { commitFailure } from "./errors.ts";
import { limited } from "./link.ts";
import type { VendorAssignment, VendorConsumer } from "./vendor.ts";

/** How long the broker may take to answer a commit. */
const commitMs = 5_000;

/** A place in a group. */
export interface Membership {
  /** Begins to join, and goes on until it is closed. */
  start(): void;
  /** Takes note of what the client alone knows. */
  check(): void;
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Gives everything back and leaves. */
  close(): Promise<void>;
}

/** What a client was assigned, partition by partition. */
export function partitionsOf(assignments: readonly VendorAssignment[] | null | undefined): TopicPartition[] {
  return (assignments ?? []).flatMap(({ topic, partitions }) =>
    topic === undefined ? [] : partitions.map((partition) => ({ topic, partition })),
  );
}

/** Commits, and settles with the broker's own answer. */
export async function commitTo(client: VendorConsumer, offsets: readonly PartitionOffset[]): Promise<void> {
  const list = offsets.map(({ topic, partition, offset }) => ({
    topic,
    partition,
    offset: BigInt(offset),
    leaderEpoch: -1,
  }));
  try {
    await limited(client.commit({ offsets: list }), commitMs);
  } catch (cause) {
    throw commitFailure(cause);
  }
}

/** The error of a commit that a rebalance is in the way of. */
export function rebalancing(): EventError {
  return new EventError("fenced", "A rebalance is under way", { retryable: true });
}
