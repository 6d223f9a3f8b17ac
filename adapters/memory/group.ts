import type { Clock, Timer } from "../../core/clock.ts";
import { ContiguousPrefix, type TrackedPosition } from "../../core/delivery/contiguous.ts";
import { EventError } from "../../core/errors.ts";
import type { Delivery, Verdict } from "../../core/transport.ts";
import { pairHeaders } from "./headers.ts";
import type { Partition, Stored } from "./log.ts";

/** A message that a member works on, through all its attempts. */
interface Work {
  readonly message: Stored;
  readonly tracked: TrackedPosition;
  attempt: number;
}

/** How far a group is in one partition. Outlives the members that own it. */
export class Cursor {
  readonly partition: Partition;
  /** Offset of the first message that is not settled: where the next owner begins. */
  committed: number;

  constructor(partition: Partition, committed: number) {
    this.partition = partition;
    this.committed = committed;
  }
}

/** One partition while one member owns it. */
export class Lane {
  readonly cursor: Cursor;
  paused = false;
  unsettled = 0;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #fence = new AbortController();
  readonly #prefix: ContiguousPrefix;
  readonly #timers = new Set<Timer>();
  #next: number;
  #again: Work[] = [];
  #stopped = false;

  constructor(cursor: Cursor, clock: Clock, wake: () => void) {
    this.cursor = cursor;
    this.#clock = clock;
    this.#wake = wake;
    this.#next = cursor.committed;
    this.#prefix = new ContiguousPrefix(cursor.committed);
  }

  /** Messages that were not handed out. */
  get lag(): number {
    return this.cursor.partition.end - this.#next + this.#again.length;
  }

  /** The next delivery, if there is one: what comes again goes first. */
  take(): Delivery | undefined {
    if (this.paused || this.#stopped) return undefined;
    const work = this.#again.shift() ?? this.#read();
    return work && this.#deliver(work);
  }

  /** No more deliveries; verdicts still count. */
  stop(): void {
    this.#stopped = true;
  }

  /** From now on verdicts are void. */
  fence(): void {
    this.stop();
    for (const timer of this.#timers) timer.cancel();
    this.#fence.abort(new EventError("fenced", `memory: ${this.cursor.partition.lane} has another owner`));
  }

  #read(): Work | undefined {
    const message = this.cursor.partition.from(this.#next);
    if (!message) return undefined;
    this.#next = message.offset + 1;
    return { message, tracked: this.#prefix.add(message.offset), attempt: 1 };
  }

  #deliver(work: Work): Delivery {
    const { message, attempt } = work;
    const { signal } = this.#fence;
    let over = false;
    this.unsettled++;
    const once = (): boolean => {
      if (over) return false;
      over = true;
      this.unsettled--;
      return true;
    };
    return {
      message: { ...message, headers: pairHeaders(message.headers) },
      attempt,
      lane: this.cursor.partition.lane,
      position: String(message.offset),
      signal,
      settle: async (verdict) => {
        if (!once()) return;
        if (signal.aborted) throw signal.reason;
        this.#settle(work, verdict);
      },
      extend: () => undefined,
      release: () => {
        if (once() && !signal.aborted) this.#repeat(work);
      },
    };
  }

  #settle(work: Work, verdict: Verdict): void {
    if (verdict.kind !== "retry") {
      this.#prefix.finish(work.tracked);
      this.cursor.committed = this.#prefix.next ?? this.cursor.committed;
      return;
    }
    const timer = this.#clock.after(verdict.delayMs, () => {
      this.#timers.delete(timer);
      this.#repeat({ ...work, attempt: work.attempt + 1 });
    });
    this.#timers.add(timer);
  }

  #repeat(work: Work): void {
    this.#again.push(work);
    this.#again.sort((a, b) => a.message.offset - b.message.offset);
    queueMicrotask(this.#wake);
  }
}
