import type { Timer } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import { Batch, Pending } from "./batch.ts";
import type { KafkaProducer, ProduceFailure } from "./driver.ts";
import type { KafkaSettings } from "./options.ts";
import { aborted, refused } from "./outcome.ts";
import { prepare } from "./outgoing.ts";
import { PendingList } from "./pending-list.ts";
import type { StatusBoard } from "./status.ts";

/** How long a producer that failed for good may take to report what it still holds. */
const replaceMs = 5_000;
/** How long after a failed connect the next is tried, though nothing waits for it. */
const redialMs = 5_000;

/**
 * Owns the producer: opens it when the first message comes, replaces it after a fatal error, and accounts for every
 * message between its acceptance and its report.
 */
export class Publisher {
  readonly #settings: KafkaSettings;
  readonly #status: StatusBoard;
  readonly #pending = new PendingList();
  /** Accepted while no producer is open, in order. */
  #waiting: Pending[] = [];
  #producer: KafkaProducer | undefined;
  #opening: Promise<void> | undefined;
  #redial: Timer | undefined;
  #generation = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(settings: KafkaSettings, status: StatusBoard) {
    this.#settings = settings;
    this.#status = status;
  }

  get buffered(): number {
    return this.#pending.messages;
  }

  get bufferedBytes(): number {
    return this.#pending.bytes;
  }

  async publish(messages: readonly OutgoingMessage[], signal?: AbortSignal): Promise<readonly PublishOutcome[]> {
    if (signal?.aborted) return messages.map(() => refused(aborted(signal)));
    const batch = new Batch(messages.length);
    for (let index = 0; index < messages.length; index++) {
      const error = this.#accept(messages[index]!, batch, index);
      if (error) batch.settle(index, refused(error));
    }
    if (!signal) return batch.done;
    const stop = (): void => this.#abort(batch, signal);
    signal.addEventListener("abort", stop);
    try {
      return await batch.done;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** False: the buffer is full. Throws for what can never be sent; later failures go to those who listen for the status. */
  post(message: OutgoingMessage): boolean {
    const error = this.#accept(message, undefined, 0);
    if (error && error.code !== "buffer-full") throw error;
    return error === undefined;
  }

  #accept(message: OutgoingMessage, batch: Batch | undefined, index: number): EventError | undefined {
    if (this.#closed) return new EventError("closed", `Transport ${this.#settings.name} is closed`);
    const { buffer, driver, maxMessageBytes } = this.#settings;
    const prepared = prepare(message, driver.encode, maxMessageBytes);
    if (prepared.error) return prepared.error;
    const { record, bytes } = prepared;
    if (this.#pending.messages >= buffer.messages || this.#pending.bytes + bytes > buffer.bytes) {
      return new EventError("buffer-full", `${this.#pending.messages} messages wait for Kafka already`, {
        retryable: true,
      });
    }
    const pending = new Pending(this, record, bytes, batch, index);
    this.#pending.add(pending);
    if (this.#producer && this.#waiting.length === 0) this.#produce(this.#producer, pending);
    else {
      this.#waiting.push(pending);
      this.#open();
    }
    return undefined;
  }

  #produce(producer: KafkaProducer, pending: Pending): void {
    const record = pending.record!;
    pending.record = undefined;
    pending.producer = this.#generation;
    const failure = producer.produce(record, pending);
    if (failure) pending.failed(failure);
  }

  /** A record is settled; called by the record itself. */
  settled(pending: Pending, failure: ProduceFailure | undefined): void {
    if (!this.#pending.remove(pending)) return;
    if (failure && !pending.batch) this.#status.error(failure.error);
    if (failure?.fatal && pending.producer === this.#generation) this.#replace();
    if (this.#pending.messages === 0 && this.#idle.length > 0) for (const wake of this.#idle.splice(0)) wake();
  }

  #open(): void {
    this.#redial?.cancel();
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
      // What arrived while the connection failed has not been looked at.
      if (!this.#producer && this.#waiting.length > 0 && !this.#closed) this.#open();
    });
  }

  async #connect(): Promise<void> {
    const { driver, maxMessageBytes } = this.#settings;
    const generation = ++this.#generation;
    try {
      const producer = await driver.openProducer(
        { maxMessageBytes },
        {
          connected: () => this.#status.connected(this),
          disconnected: (error) => this.#status.disconnected(this, error),
          failed: (error) => this.#status.error(error),
          fatal: (error) => {
            this.#status.error(error);
            if (generation === this.#generation) this.#replace();
          },
        },
      );
      if (this.#closed) return await producer.close(0);
      this.#producer = producer;
      this.#status.connected(this);
      for (const pending of this.#waiting.splice(0)) this.#produce(producer, pending);
    } catch (reason) {
      const error = EventError.from(reason, "unreachable", true);
      this.#status.disconnected(this, error);
      for (const pending of this.#waiting.splice(0)) pending.failed({ outcome: "failed", fatal: false, error });
      // A fallback chain sends nothing here until the broker is back: somebody has to look.
      if (!this.#closed) this.#redial = this.#settings.clock.after(redialMs, () => this.#open());
    }
  }

  /** After a fatal error: what the old producer still holds is reported by it or unknown, and new messages wait. */
  #replace(): void {
    const old = this.#producer;
    if (!old || this.#closed) return;
    const generation = this.#generation;
    this.#producer = undefined;
    this.#status.forget(this); // of the next nothing is known yet
    const replaced = old.close(replaceMs).catch(() => undefined);
    this.#opening = replaced.then(() => {
      const error = new EventError("transport-failed", "The producer failed with this message on its way", {
        retryable: true,
      });
      for (const pending of this.#pending.all()) {
        if (pending.producer === generation) pending.failed({ outcome: "unknown", fatal: false, error });
      }
      this.#opening = undefined;
      if (this.#waiting.length > 0) this.#open();
    });
  }

  #abort(batch: Batch, signal: AbortSignal): void {
    const error = aborted(signal);
    const mine = this.#waiting.filter((pending) => pending.batch === batch);
    this.#waiting = this.#waiting.filter((pending) => pending.batch !== batch);
    // The client never saw these; everything else it may have sent.
    for (const pending of mine) pending.failed({ outcome: "failed", fatal: false, error });
    batch.giveUp(error);
  }

  /** Resolves when everything accepted so far, and what is accepted meanwhile, is reported. */
  async flush(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#pending.messages === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    void this.#producer?.flush(timeoutMs).catch(() => undefined);
    if (!signal) return idle;
    let stop: () => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(new EventError("aborted", "The flush was aborted", { cause: signal.reason }));
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop);
    });
    await Promise.race([idle, stopped]).finally(() => signal.removeEventListener("abort", stop));
  }

  /** Returns how many messages were left without a confirmation. */
  async close(deadlineMs: number): Promise<number> {
    if (this.#closed) return 0;
    const { clock } = this.#settings;
    const until = clock.now() + deadlineMs;
    if (this.#pending.messages > 0) await withinDeadline(clock, deadlineMs, this.flush(deadlineMs));
    this.#closed = true;
    this.#redial?.cancel();
    const unsent = this.#pending.messages;
    await this.#producer?.close(Math.max(0, until - clock.now()));
    const error = new EventError("closed", `Transport ${this.#settings.name} was closed before Kafka confirmed`);
    for (const pending of this.#pending.all()) {
      pending.failed({ outcome: pending.record ? "failed" : "unknown", fatal: false, error });
    }
    this.#waiting = [];
    return unsent;
  }
}
