import type { IncomingMessage } from "../../core/message.ts";
import type { Delivery, Verdict } from "../../core/transport.ts";
import { KafkaMessage } from "./incoming.ts";
import type { Lane, Work } from "./lane.ts";

/** Where the deliveries of a subscription report to. */
export interface DeliveryOwner {
  /** The message is done with; resolves when the broker knows. */
  finished(lane: Lane, work: Work): Promise<void>;
  /** The message comes again after `delayMs`. */
  retry(lane: Lane, work: Work, delayMs: number): Promise<void>;
  /** The message comes again as if it had never been handed out. */
  released(lane: Lane, work: Work): void;
}

/** One attempt at one record. */
export class KafkaDelivery implements Delivery {
  readonly message: IncomingMessage;
  readonly attempt: number;
  readonly #owner: DeliveryOwner;
  readonly #lane: Lane;
  readonly #work: Work;
  #settled: Promise<void> | undefined;

  constructor(owner: DeliveryOwner, lane: Lane, work: Work) {
    this.message = new KafkaMessage(work.record);
    this.attempt = work.attempt;
    this.#owner = owner;
    this.#lane = lane;
    this.#work = work;
    lane.running++;
  }

  get lane(): string {
    return this.#lane.id;
  }

  get position(): string {
    return String(this.#work.record.offset);
  }

  get signal(): AbortSignal {
    return this.#lane.signal;
  }

  /**
   * Acks and rejects resolve when a commit covers this offset, at the next round of commits or, while an earlier
   * message is unfinished, after it. Nothing that is handled in series should wait for that.
   */
  settle(verdict: Verdict): Promise<void> {
    if (this.#settled) return this.#settled;
    this.#lane.running--;
    this.#settled =
      verdict.kind === "retry"
        ? this.#owner.retry(this.#lane, this.#work, verdict.delayMs)
        : this.#owner.finished(this.#lane, this.#work);
    return this.#settled;
  }

  /** Kafka redelivers nothing while the partition is owned: polling goes on beside the handlers. */
  extend(): void {}

  release(): void {
    if (this.#settled) return;
    this.#settled = Promise.resolve();
    this.#lane.running--;
    this.#owner.released(this.#lane, this.#work);
  }
}
