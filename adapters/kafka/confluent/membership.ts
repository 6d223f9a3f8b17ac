import type { AssignedPartition, ConsumerEvents, TopicPartition } from "../driver.ts";
import { rest } from "../rest.ts";
import type { Connection } from "./connection.ts";
import { code, toEventError } from "./errors.ts";
import type { StartPositions } from "./positions.ts";
import type { VendorConsumer, VendorError, VendorPartition } from "./vendor.ts";

// librdkafka's name for the oldest offset.
const beginning = -2;
/** How long the group may take to let a member go. */
const leaveMs = 5_000;
/** How long the client needs to tell the broker that it left. */
const settleMs = 100;

/** Answers rebalances one after the other, each only when the work it takes away has been drained. */
export class Membership {
  /** Resolves when the poll under way, if any, has ended. */
  polling: Promise<void> = Promise.resolve();
  readonly #client: VendorConsumer;
  readonly #starts: StartPositions;
  readonly #connection: Connection<ConsumerEvents>;
  #turn: Promise<void> = Promise.resolve();
  /** Partitions assigned and not taken back. */
  #held = 0;

  constructor(client: VendorConsumer, starts: StartPositions, connection: Connection<ConsumerEvents>) {
    this.#client = client;
    this.#starts = starts;
    this.#connection = connection;
  }

  onRebalance(error: VendorError, list: readonly VendorPartition[]): void {
    // librdkafka forgets whether the assignment was lost once this callback has been answered.
    const lost = error.code !== code.assign && this.#client.assignmentLost();
    const partitions = list.map(({ topic, partition }) => ({ topic, partition }));
    this.#turn = this.#turn
      .then(() => (error.code === code.assign ? this.#assign(partitions) : this.#revoke(partitions, lost)))
      .catch((cause: unknown) => this.#connection.events?.failed(toEventError(cause, "A rebalance failed")));
  }

  /** Every partition, for good. */
  async takeAll(partitions: readonly TopicPartition[]): Promise<void> {
    const assigned = await this.#starts.of(partitions);
    this.#client.assign(
      assigned.map(({ topic, partition, start }) => ({ topic, partition, offset: start ?? beginning })),
    );
    this.#connection.events?.assigned(assigned.map((each) => ({ ...each, uncommitted: false })));
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    const assigned = await this.#starts.of(partitions).catch((cause: unknown): AssignedPartition[] => {
      // Unanswered, the group would stand still: librdkafka looks the positions up once more by itself.
      this.#connection.events?.failed(toEventError(cause, "Kafka did not tell the group's offsets"));
      return partitions.map((each) => ({ ...each, uncommitted: false }));
    });
    // A poll begun under an earlier assignment may hold records from beyond the position where this one begins.
    await this.polling;
    const list = assigned.map(vendorPartition);
    this.#connection.events?.assigned(assigned);
    if (this.#cooperative) this.#client.incrementalAssign(list);
    else this.#client.assign(list);
    this.#held += list.length;
    // A pause outlives a revoke and a new assignment.
    if (list.length > 0) this.#client.resume(partitions);
  }

  async #revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    try {
      await this.#connection.events?.revoking(partitions, lost);
    } finally {
      if (this.#cooperative) this.#client.incrementalUnassign(partitions);
      else this.#client.unassign();
      this.#held -= partitions.length;
    }
  }

  /**
   * Leaves the group. A client that is closed in the middle of a rebalance goes without telling the broker, and its
   * partitions stand still until the session times out; without a subscription it has no rebalance to be in.
   */
  async leave(): Promise<void> {
    this.#client.unsubscribe();
    for (const until = Date.now() + leaveMs; this.#held > 0 && Date.now() < until; ) await rest(25);
    await this.#turn;
    await rest(settleMs);
  }

  get #cooperative(): boolean {
    return this.#client.rebalanceProtocol() === "COOPERATIVE";
  }
}

function vendorPartition({ topic, partition, start, uncommitted }: AssignedPartition): VendorPartition {
  return uncommitted && start !== undefined ? { topic, partition, offset: start } : { topic, partition };
}
