import type { Clock, Timer } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { CloseOptions, CloseReport, ConsumeSink, Lag, TransportSubscription } from "../../core/transport.ts";
import { Committer } from "./committer.ts";
import { type DeliveryOwner, KafkaDelivery } from "./delivery.ts";
import type { AssignedPartition, ConsumerSource, IncomingRecord, KafkaConsumer, TopicPartition } from "./driver.ts";
import { Lane, laneId, type Work } from "./lane.ts";
import type { KafkaSettings } from "./options.ts";
import { Poller } from "./poller.ts";
import type { StatusBoard } from "./status.ts";

/**
 * The most records one poll takes: it bounds by how much a partition overshoots its pause, and how long records wait
 * here, which costs the garbage collector more than a poll costs the client.
 */
const pollBatch = 128;
/** How long the same failure is not reported again, in milliseconds. */
const repeatMs = 5_000;

/**
 * One member of a group, or a reader of everything. What nobody has credit for waits in the lanes, and a lane that is
 * full is paused at the client.
 */
export class KafkaSubscription implements TransportSubscription, DeliveryOwner {
  readonly #settings: KafkaSettings;
  readonly #clock: Clock;
  readonly #sink: ConsumeSink;
  readonly #status: StatusBoard;
  readonly #committer: Committer;
  readonly #poller: Poller;
  readonly #lanes = new Map<string, Lane>();
  /** The same lanes in the order of their turns. */
  #order: Lane[] = [];
  readonly #paused = new Set<string>();
  readonly #retries = new Set<Timer>();
  readonly #reported = new Map<string, number>();
  readonly #onClosed: (subscription: KafkaSubscription) => void;
  #turn = 0;
  #credit = 0;
  #pumping = false;
  #resumable: Lane[] = [];
  #consumer: KafkaConsumer | undefined;
  #joined: () => void = () => undefined;
  #closing: Promise<CloseReport> | undefined;

  constructor(
    settings: KafkaSettings,
    sink: ConsumeSink,
    status: StatusBoard,
    onClosed: (subscription: KafkaSubscription) => void,
  ) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#sink = sink;
    this.#status = status;
    this.#onClosed = onClosed;
    this.#committer = new Committer(
      settings,
      () => this.#order,
      (error) => this.#report(error),
    );
    this.#poller = new Poller({
      clock: settings.clock,
      max: Math.min(pollBatch, settings.maxAhead.messages),
      received: (records) => this.#received(records),
      // A client that is leaving may refuse a poll; it is polled on because leaving needs it.
      failed: (reason) => this.#closing ?? this.#report(EventError.from(reason)),
      // What a paused partition holds is nothing to wait for.
      queued: () => this.#order.reduce((sum, { queue, throttled }) => sum + (throttled ? 0 : queue.length), 0),
    });
  }

  /** Resolves when the group has given this member its part, and every position is fixed. */
  async open(source: ConsumerSource): Promise<void> {
    const joined = new Promise<void>((resolve) => {
      this.#joined = resolve;
    });
    const consumer = await this.#settings.driver.openConsumer(source, {
      connected: () => this.#status.connected(this),
      disconnected: (error) => this.#status.disconnected(this, error),
      failed: (error) => this.#report(error),
      assigned: (partitions) => this.#assigned(partitions),
      revoking: (partitions, lost) => this.#revoking(partitions, lost, this.#settings.drainMs),
    });
    this.#consumer = consumer;
    if (this.#closing) {
      await consumer.close().catch(() => undefined);
      throw new EventError("closed", "The transport was closed while this subscription opened");
    }
    this.#committer.attach(consumer);
    this.#status.connected(this);
    void this.#poller.run(consumer);
    let late: Timer | undefined;
    const timeout = new Promise<"late">((resolve) => {
      late = this.#clock.after(this.#settings.joinTimeoutMs, () => resolve("late"));
    });
    const outcome = await Promise.race([joined, timeout]);
    late?.cancel();
    if (outcome !== "late") return;
    await this.close({ deadlineMs: 0 });
    const topics = source.topics.join(", ");
    throw new EventError("timeout", `No part of ${topics} was assigned within ${this.#settings.joinTimeoutMs} ms`, {
      retryable: true,
    });
  }

  credit(n: number): void {
    this.#credit += n;
    this.#pump();
  }

  pauseLane(lane: string): void {
    this.#paused.add(lane);
    const owned = this.#lanes.get(lane);
    if (owned) owned.paused = true;
  }

  resumeLane(lane: string): void {
    this.#paused.delete(lane);
    const owned = this.#lanes.get(lane);
    if (owned) owned.paused = false;
    this.#pump();
  }

  lag(): Promise<readonly Lag[]> {
    const lags: Lag[] = [];
    for (const lane of this.#order) {
      const ends = this.#consumer?.watermarks(lane);
      if (ends) lags.push({ lane: lane.id, messages: Math.max(0, ends.high - (lane.next ?? ends.low)) });
    }
    return Promise.resolve(lags);
  }

  close(options?: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options?.deadlineMs ?? 10_000);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const until = this.#clock.now() + deadlineMs;
    this.#credit = 0;
    const unsettled = await this.#drain([...this.#order], deadlineMs, until);
    this.#committer.close();
    for (const timer of this.#retries) timer.cancel();
    // Leaving the group takes a moment even when no time is left for work.
    const leaveMs = Math.max(1_000, until - this.#clock.now());
    const gone = this.#consumer?.close().catch((error: unknown) => this.#sink.failed(EventError.from(error)));
    await withinDeadline(this.#clock, leaveMs, gone ?? Promise.resolve());
    this.#poller.stop();
    this.#status.forget(this);
    this.#onClosed(this);
    return { unsent: 0, unsettled };
  }

  finished(lane: Lane, work: Work): Promise<void> {
    if (lane.signal.aborted) return Promise.reject(lane.signal.reason);
    const advanced = lane.finish(work);
    const confirmed = lane.confirmations.of(work.record.offset, !advanced);
    if (advanced) {
      this.#committer.schedule();
      this.#pump(); // the lane may run further ahead now
    }
    return confirmed;
  }

  retry(lane: Lane, work: Work, delayMs: number): Promise<void> {
    if (lane.signal.aborted) return Promise.reject(lane.signal.reason);
    work.attempt++;
    const again = (): void => {
      lane.giveBack(work);
      this.#pump();
    };
    if (delayMs <= 0) again();
    else {
      const timer = this.#clock.after(delayMs, () => {
        this.#retries.delete(timer);
        again();
      });
      this.#retries.add(timer);
    }
    return Promise.resolve();
  }

  released(lane: Lane, work: Work): void {
    if (lane.signal.aborted) return;
    lane.giveBack(work);
    this.#pump();
  }

  /** An outage says the same thing with every poll and every commit: once in a while is enough. */
  #report(error: EventError): void {
    const now = this.#clock.now();
    const told = this.#reported.get(error.message) ?? Number.NEGATIVE_INFINITY;
    if (now - told < repeatMs) return;
    if (this.#reported.size >= 100) this.#reported.clear();
    this.#reported.set(error.message, now);
    this.#sink.failed(error);
  }

  #received(records: readonly IncomingRecord[]): void {
    let lane: Lane | undefined;
    const full: Lane[] = [];
    for (const record of records) {
      // Records of a partition come in runs.
      if (lane?.partition !== record.partition || lane.topic !== record.topic) lane = this.#lanes.get(laneId(record));
      if (!lane) continue; // revoked meanwhile
      lane.queue.push(record);
      if (lane.throttled || !this.#isFull(lane, 1)) continue;
      lane.throttled = true;
      full.push(lane);
    }
    if (full.length > 0) this.#consumer?.pause(full);
    this.#pump();
  }

  #isFull({ queue }: Lane, share: number): boolean {
    const { messages, bytes } = this.#settings.maxAhead;
    return queue.length >= messages * share || queue.bytes >= bytes * share;
  }

  /** Hands out what there is credit for, one message of each lane in turn. */
  #pump(): void {
    if (this.#pumping || this.#closing) return;
    this.#pumping = true;
    try {
      for (let idle = 0; this.#credit > 0 && idle < this.#order.length; ) {
        this.#turn = (this.#turn + 1) % this.#order.length;
        const lane = this.#order[this.#turn]!;
        const work = lane.take();
        if (!work) {
          idle++;
          continue;
        }
        idle = 0;
        this.#credit--;
        this.#poller.taken();
        if (lane.throttled && !this.#isFull(lane, 0.5)) this.#resumable.push(lane);
        this.#sink.deliver(new KafkaDelivery(this, lane, work));
      }
    } finally {
      this.#pumping = false;
    }
    this.#resume();
  }

  #resume(): void {
    if (this.#resumable.length === 0) return;
    const lanes = this.#resumable.filter((lane) => lane.throttled && !lane.signal.aborted);
    this.#resumable = [];
    for (const lane of lanes) lane.throttled = false;
    if (lanes.length > 0) this.#consumer?.resume(lanes);
  }

  #assigned(partitions: readonly AssignedPartition[]): void {
    for (const assigned of partitions) {
      const lane = new Lane(assigned, this.#settings.maxAhead);
      lane.paused = this.#paused.has(lane.id);
      this.#lanes.set(lane.id, lane);
    }
    this.#order = [...this.#lanes.values()];
    // Where a new group begins must be known to the next owner as well.
    if (this.#order.some((lane) => lane.due)) this.#committer.schedule();
    this.#joined();
  }

  async #revoking(partitions: readonly TopicPartition[], lost: boolean, drainMs: number): Promise<void> {
    const gone = partitions.map((each) => this.#lanes.get(laneId(each))).filter((lane) => lane !== undefined);
    if (!lost) {
      await this.#drain(gone, drainMs);
      return;
    }
    this.#drop(gone);
    for (const lane of gone) void this.#sink.revoke(lane.id).catch(() => undefined);
  }

  /**
   * Ends these lanes: lets started work finish, commits, fences. Returns how many deliveries the broker will hand out
   * again. A refused commit is tried again until `commitUntilMs`; a rebalance cannot wait for that.
   */
  async #drain(lanes: readonly Lane[], drainMs: number, commitUntilMs = 0): Promise<number> {
    for (const lane of lanes) lane.stop();
    const drained = Promise.all(lanes.map((lane) => this.#sink.revoke(lane.id).catch(() => undefined)));
    await withinDeadline(this.#clock, drainMs, drained);
    await this.#committer.commitUntil(lanes, commitUntilMs);
    const unsettled = lanes.reduce((sum, lane) => sum + lane.running + lane.confirmations.waiting, 0);
    this.#drop(lanes);
    return unsettled;
  }

  #drop(lanes: readonly Lane[]): void {
    for (const lane of lanes) {
      // The partition may have come back as another lane while this one drained.
      if (this.#lanes.get(lane.id) === lane) this.#lanes.delete(lane.id);
      lane.fence();
    }
    this.#order = [...this.#lanes.values()];
  }
}
