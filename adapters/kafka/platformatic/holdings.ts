import type { ConsumerEvents, TopicPartition } from "../driver.ts";
import { rest } from "../rest.ts";
import { toEventError } from "./errors.ts";
import type { Fetcher } from "./fetcher.ts";

import { idOf, type StartedPartition, type StartPositions } from "./positions.ts";
import type { VendorConsumer } from "./vendor.ts";

const retryMs = 200;

/** The partitions a member has: looked up and read when they come, drained when they go, one change after the other. */
export class Holdings {
  readonly #starts: StartPositions;
  readonly #fetcher: Fetcher;
  readonly #events: ConsumerEvents;
  readonly #held = new Map<string, TopicPartition>();
  /** Those the transport was told of. */
  readonly #told = new Set<TopicPartition>();
  #turn: Promise<void> = Promise.resolve();

  constructor(starts: StartPositions, fetcher: Fetcher, events: ConsumerEvents) {
    this.#starts = starts;
    this.#fetcher = fetcher;
    this.#events = events;
  }

  get size(): number {
    return this.#held.size;
  }

  /** What is held and not among `kept`. */
  without(kept: readonly TopicPartition[]): TopicPartition[] {
    const ids = new Set(kept.map(idOf));
    return [...this.#held.values()].filter((each) => !ids.has(idOf(each)));
  }

  /** Takes up those of `owned` that are not held yet, from where the group stands. */
  assign(owned: readonly TopicPartition[], member: VendorConsumer): Promise<void> {
    const added = owned.filter((each) => !this.#held.has(idOf(each)));
    for (const each of added) this.#held.set(idOf(each), each);
    return this.#then(async () => {
      const started = await this.#look(added, member);
      for (const each of added) if (this.#isHeld(each)) this.#told.add(each);
      const kept = started.filter((_, index) => this.#isHeld(added[index]!));
      this.#events.assigned(kept);
      this.#fetcher.add(kept.map(({ topic, partition, start }) => ({ topic, partition, offset: start })));
    });
  }

  /** Gives partitions away: drained before, unless they are `lost` already. */
  revoke(gone: readonly TopicPartition[], lost: boolean): Promise<void> {
    for (const each of gone) this.#held.delete(idOf(each));
    this.#fetcher.remove(gone);
    return this.#then(async () => {
      const known = gone.filter((each) => this.#told.delete(each));
      if (known.length > 0) await this.#events.revoking(known, lost);
    });
  }

  #isHeld(partition: TopicPartition): boolean {
    return this.#held.get(idOf(partition)) === partition;
  }

  async #look(added: readonly TopicPartition[], member: VendorConsumer): Promise<readonly StartedPartition[]> {
    for (;;) {
      try {
        return await this.#starts.of(added, member);
      } catch (cause) {
        // Taken away while nobody told where they begin.
        if (!added.some((each) => this.#isHeld(each))) return [];
        this.#events.failed(toEventError(cause, "Kafka did not tell the group's offsets"));
        await rest(retryMs);
      }
    }
  }

  #then(change: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(change).catch((cause: unknown) => {
      this.#events.failed(toEventError(cause, "A rebalance failed"));
    });
    return this.#turn;
  }
}
