import { ContiguousPrefix, type TrackedPosition } from "../../core/delivery/contiguous.ts";
import { EventError } from "../../core/errors.ts";
import { Confirmations } from "./confirmations.ts";
import type { AssignedPartition, IncomingRecord, TopicPartition } from "./driver.ts";
import { RecordQueue } from "./record-queue.ts";

/** A record on its way through its attempts. */
export interface Work extends TrackedPosition {
  readonly record: IncomingRecord;
  attempt: number;
}

/** The name of a partition's lane. */
export function laneId({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/**
 * One partition while this member owns it: what was read and not handed out, what comes again, and how far it may be
 * committed. Knows neither credit nor the broker.
 */
export class Lane implements TopicPartition {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  /** What was read and not handed out yet. */
  readonly queue: RecordQueue = new RecordQueue();
  readonly confirmations: Confirmations = new Confirmations();
  /** Deliveries handed out and neither settled nor released. */
  running = 0;
  /** The subscriber asked for a pause. */
  paused = false;
  /** The driver was told to leave this partition out, because the queue is full. */
  throttled = false;
  /** The offset the broker has. */
  committed: number | undefined;
  #prefix: ContiguousPrefix;
  readonly #fence = new AbortController();
  readonly #maxAhead: { readonly messages: number; readonly bytes: number };
  /** The offset behind the last that was handed out. */
  #read: number;
  /** Due again, by offset. */
  #again: Work[] = [];
  #stopped = false;

  constructor(assigned: AssignedPartition, maxAhead: { readonly messages: number; readonly bytes: number }) {
    this.id = laneId(assigned);
    this.topic = assigned.topic;
    this.partition = assigned.partition;
    this.committed = assigned.uncommitted ? undefined : assigned.start;
    this.#prefix = new ContiguousPrefix(assigned.start);
    this.#read = assigned.start ?? 0;
    this.#maxAhead = maxAhead;
  }

  /** Aborts when the partition is gone. */
  get signal(): AbortSignal {
    return this.#fence.signal;
  }

  /** Messages between the first unfinished one and the last that was handed out. */
  get ahead(): number {
    return this.#prefix.size;
  }

  /** The offset that may be committed; undefined while it is unknown. */
  get next(): number | undefined {
    return this.#prefix.next;
  }

  /** The broker does not have {@link next} yet. */
  get due(): boolean {
    return this.next !== undefined && this.next !== this.committed && !this.signal.aborted;
  }

  /** The next message to hand out: first what comes again, then new ones as far as they may run ahead. */
  take(): Work | undefined {
    if (this.paused || this.#stopped) return undefined;
    const again = this.#again.shift();
    if (again) return again;
    const record = this.queue.peek();
    if (!record || !this.#mayAdvance(record.bytes)) return undefined;
    this.queue.shift();
    // The log ends below where it was read, after an unclean election or because its topic was made anew: it is read
    // from its beginning, and what was finished before says nothing about it.
    if (record.offset < this.#read) this.#prefix = new ContiguousPrefix(record.offset);
    this.#read = record.offset + 1;
    const { offset: position, bytes } = record;
    const work: Work = { record, attempt: 1, position, bytes, finished: false, following: undefined };
    this.#prefix.track(work);
    return work;
  }

  #mayAdvance(bytes: number): boolean {
    const { size } = this.#prefix;
    if (size === 0) return true; // one message always may, however large
    return size < this.#maxAhead.messages && this.#prefix.bytes + bytes <= this.#maxAhead.bytes;
  }

  /** Hands a message out again, before everything that lies behind it in the partition. */
  giveBack(work: Work): void {
    if (this.#stopped) return;
    let at = this.#again.length;
    while (at > 0 && this.#again[at - 1]!.record.offset > work.record.offset) at--;
    this.#again.splice(at, 0, work);
  }

  /** Marks a message as done with. Returns whether more may be committed now. */
  finish(work: Work): boolean {
    return this.#prefix.finish(work);
  }

  /** No more deliveries; what runs may still be settled. */
  stop(): void {
    this.#stopped = true;
    this.#again = [];
    this.queue.clear();
  }

  /** The partition is gone: nothing can be settled any more. */
  fence(): void {
    this.stop();
    const error = new EventError("fenced", `Partition ${this.id} is not this member's any more`, { retryable: true });
    this.confirmations.fence(error);
    this.#fence.abort(error);
  }
}
