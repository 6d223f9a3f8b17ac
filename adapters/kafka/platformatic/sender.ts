import { EventError } from "../../../core/errors.ts";
import type { ProduceFailure } from "../driver.ts";
import { leaderMoved } from "../leader-moves.ts";
import { code, lostSend, refusal } from "./errors.ts";
import type { Item, PartitionQueue } from "./partition-queue.ts";
import { type Answer, answersOf } from "./produce-answers.ts";
import { vendorMessage } from "./records.ts";
import type { VendorMessage, VendorProducer } from "./vendor.ts";

/** The most one request holds, over all its partitions. */
const maxSendRecords = 4_000;
const retryMs = 100;

/** What a sender needs of the producer it belongs to. */
export interface SenderOwner {
  readonly deliveryTimeoutMs: number;
  newClient(): VendorProducer;
  /** The batch of this partition is settled: `moved` where the broker is not its leader any more. */
  released(queue: PartitionQueue, moved: boolean): void;
}

/**
 * Sends to one broker, one request at a time: with several on their way an outage would change their order. It has a
 * client, and so a producer id, of its own, because a failed send makes the client forget all sequences it has given.
 */
export class Sender {
  readonly #owner: SenderOwner;
  readonly #ready = new Set<PartitionQueue>();
  #client: VendorProducer | undefined;
  #running = false;

  constructor(owner: SenderOwner) {
    this.#owner = owner;
  }

  /** Something waits in this queue. Whatever is added in the same turn goes with it. */
  add(queue: PartitionQueue): void {
    queue.busy = true;
    this.#ready.add(queue);
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => void this.#run());
  }

  async close(): Promise<void> {
    this.#ready.clear();
    await this.#client?.close(true).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (this.#ready.size > 0) {
      const batches = new Map<PartitionQueue, Item[]>();
      const messages: VendorMessage[] = [];
      for (const queue of this.#ready) {
        if (messages.length >= maxSendRecords) break;
        this.#ready.delete(queue);
        const batch = this.#unexpired(queue.take());
        for (const { record, key } of batch) messages.push(vendorMessage(record, key, queue.partition));
        if (batch.length > 0) batches.set(queue, batch);
        else this.#owner.released(queue, false);
      }
      if (messages.length > 0) await this.#send(batches, messages);
    }
    this.#running = false;
  }

  /** What waited too long was never sent. */
  #unexpired(batch: Item[]): Item[] {
    const oldest = Date.now() - this.#owner.deliveryTimeoutMs;
    if (batch.length === 0 || batch[0]!.queuedAt > oldest) return batch;
    return batch.filter((item) => {
      if (item.queuedAt > oldest) return true;
      item.report.failed(expired("failed", this.#owner.deliveryTimeoutMs));
      return false;
    });
  }

  async #send(batches: Map<PartitionQueue, Item[]>, messages: VendorMessage[]): Promise<void> {
    this.#client ??= this.#owner.newClient();
    let oldest = Number.POSITIVE_INFINITY;
    for (const [first] of batches.values()) oldest = Math.min(oldest, first!.queuedAt);
    const leftMs = Math.max(1, oldest + this.#owner.deliveryTimeoutMs - Date.now());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), leftMs);
    });
    const sent = this.#client.send({ messages }).then(
      (result) => ({ answers: answersOf(result.offsets), error: undefined as unknown }),
      (error: unknown) => ({ answers: answersOf(undefined, error), error }),
    );
    const outcome = await Promise.race([sent, late]);
    clearTimeout(timer);
    if (outcome === "late") {
      // The client would repeat this send for ever.
      void this.#client.close(true).catch(() => undefined);
      this.#client = undefined;
      for (const [queue, batch] of batches) {
        this.#fail(queue, batch, expired("unknown", this.#owner.deliveryTimeoutMs));
      }
      return;
    }
    for (const [queue, batch] of batches) {
      this.#settle(queue, batch, outcome.answers.get(queue.topic)?.get(queue.partition), outcome.error);
    }
  }

  #settle(queue: PartitionQueue, batch: Item[], answer: Answer | undefined, error: unknown): void {
    if (answer?.code === 0 || answer?.code === code.duplicateSequence) {
      const base = answer.code === 0 ? answer.offset : Number.NEGATIVE_INFINITY;
      for (let n = 0; n < batch.length; n++) batch[n]!.report.stored(queue.partition, Math.max(-1, base + n));
      queue.grow();
      this.#owner.released(queue, false);
    } else if (answer?.code === code.messageTooLarge && batch.length > 1) {
      // One of them may be too large, or all together: only one alone tells.
      queue.shrink(batch.length);
      queue.giveBack(batch);
      this.#owner.released(queue, false);
    } else if (answer && leaderMoved.has(answer.code)) {
      queue.giveBack(batch);
      setTimeout(() => this.#owner.released(queue, true), retryMs);
    } else this.#fail(queue, batch, answer ? refusal(answer.code, error) : lostSend(error));
  }

  #fail(queue: PartitionQueue, batch: readonly Item[], failure: ProduceFailure): void {
    for (const { report } of batch) report.failed(failure);
    this.#owner.released(queue, true);
  }
}

function expired(outcome: "failed" | "unknown", timeoutMs: number): ProduceFailure {
  const error = new EventError("timeout", `Kafka did not confirm within ${timeoutMs} ms`, { retryable: true });
  return { outcome, fatal: false, error };
}
