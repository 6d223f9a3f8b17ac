import type { Timer } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { sleep } from "../../core/sleep.ts";
import type { KafkaConsumer } from "./driver.ts";
import type { Lane } from "./lane.ts";
import type { KafkaSettings } from "./options.ts";

/** Commits what lanes have finished, on a timer that runs only while something is due, one commit at a time. */
export class Committer {
  readonly #settings: KafkaSettings;
  readonly #lanes: () => Iterable<Lane>;
  readonly #failed: (error: EventError) => void;
  #consumer: KafkaConsumer | undefined;
  #timer: Timer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(settings: KafkaSettings, lanes: () => Iterable<Lane>, failed: (error: EventError) => void) {
    this.#settings = settings;
    this.#lanes = lanes;
    this.#failed = failed;
  }

  /** Where to commit, once there is a consumer. */
  attach(consumer: KafkaConsumer): void {
    this.#consumer = consumer;
  }

  /** Something is due: commits within the interval. */
  schedule(): void {
    if (!this.#closed) this.#timer ??= this.#settings.clock.after(this.#settings.commitIntervalMs, this.#round);
  }

  readonly #round = async (): Promise<void> => {
    await this.commit([...this.#lanes()]);
    this.#timer = undefined;
    // Also what failed: a rebalance or an outage may be over by the next round.
    for (const lane of this.#lanes()) if (lane.due) return this.schedule();
  };

  /** Commits these lanes now. Never rejects: a failure is reported, and the lanes stay due. */
  commit(lanes: readonly Lane[]): Promise<void> {
    this.#turn = this.#turn.then(() => this.#commit(lanes));
    return this.#turn;
  }

  /** Commits these lanes now, and again while the broker refuses and `untilMs` of the clock is not reached. */
  async commitUntil(lanes: readonly Lane[], untilMs: number): Promise<void> {
    const { clock, commitIntervalMs } = this.#settings;
    for (;;) {
      await this.commit(lanes);
      const leftMs = untilMs - clock.now();
      // What was taken away meanwhile is no longer due.
      if (leftMs <= 0 || !lanes.some((lane) => lane.due)) return;
      await sleep(clock, Math.min(commitIntervalMs, leftMs));
    }
  }

  async #commit(lanes: readonly Lane[]): Promise<void> {
    const due = lanes.filter((lane) => lane.due);
    if (due.length === 0 || !this.#consumer) return;
    const offsets = due.map((lane) => ({ topic: lane.topic, partition: lane.partition, offset: lane.next! }));
    for (const lane of due) lane.confirmations.seal();
    try {
      await this.#consumer.commit(offsets);
    } catch (reason) {
      const error = EventError.from(reason, "transport-failed", true);
      // A rebalance refuses commits for a moment. That is no news: the next round, or the next owner, goes on.
      if (error.code !== "fenced") this.#failed(error);
      return;
    }
    due.forEach((lane, index) => {
      const { offset } = offsets[index]!;
      lane.committed = offset;
      lane.confirmations.committed(offset);
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
