import type { Clock, Timer } from "../../core/clock.ts";
import { sleep } from "../../core/sleep.ts";
import type { IncomingRecord, KafkaConsumer } from "./driver.ts";

/** How long to wait after a failed poll, in milliseconds. */
const restMs = 50;
/** How long polls may be put off while there is enough to do, in milliseconds: rebalances are answered by polling. */
const idleMs = 100;

/** What a poller works for. */
export interface PollTarget {
  readonly clock: Clock;
  /** The most records one poll takes. */
  readonly max: number;
  received(records: readonly IncomingRecord[]): void;
  failed(reason: unknown): void;
  /** How many records wait to be handed out. */
  queued(): number;
}

/**
 * Polls without ever stopping, since a member that does not poll is thrown out. While one poll's records are handed
 * out the next is under way; it is put off while more than those wait, for what is held longer costs the garbage
 * collector more than the poll did.
 */
export class Poller {
  readonly #target: PollTarget;
  /** How many records have yet to be handed out before the next poll. */
  #surplus = 0;
  #resume: () => void = () => undefined;
  #stopped = false;

  constructor(target: PollTarget) {
    this.#target = target;
  }

  async run(consumer: KafkaConsumer): Promise<void> {
    const { clock, max } = this.#target;
    while (!this.#stopped) {
      try {
        const records = await consumer.poll(max);
        if (records.length > 0) this.#target.received(records);
        const surplus = this.#target.queued() - max;
        if (surplus > 0) await this.#untilTaken(surplus);
      } catch (reason) {
        this.#target.failed(reason);
        await sleep(clock, restMs);
      }
    }
  }

  /** A record was handed out. */
  taken(): void {
    if (--this.#surplus === 0) this.#resume();
  }

  stop(): void {
    this.#stopped = true;
    this.#resume();
  }

  #untilTaken(surplus: number): Promise<void> {
    this.#surplus = surplus;
    return new Promise((resolve) => {
      const timer: Timer = this.#target.clock.after(idleMs, resolve);
      this.#resume = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
