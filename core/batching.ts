import { deadline, withinDeadline } from "./deadline.ts";
import { type Batcher, type BatchItem, createBatcher } from "./delivery/batch.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { BatchOptions, EventBatch } from "./event-batch.ts";
import type { PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Entry, Settle, Transmitter } from "./publish-all.ts";
import type { Plan } from "./routing.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";

/** What a batch tells whoever measures. */
export interface BatchEvents {
  sent(count: number): void;
  refused(policy: string): void;
  closed(batch: BusBatch): void;
}

/** An event until it is settled. */
interface Waiting extends BatchItem {
  readonly entry: Entry;
}

interface Flush {
  /** Events up to this number, and how many of them are not settled yet. */
  readonly upTo: number;
  left: number;
  done(): void;
}

/** Publishes events of a bus in batches. */
export class BusBatch implements EventBatch {
  readonly #env: Environment;
  readonly #transmitter: Transmitter;
  readonly #events: BatchEvents;
  readonly #batcher: Batcher<Waiting>;
  readonly #policy: NonNullable<BatchOptions["whenFull"]>;
  /** Whoever waits for room, in the order of the calls. Told `false` when there will be none. */
  readonly #parked: ((room: boolean) => void)[] = [];
  readonly #flushes = new Set<Flush>();
  #added = 0;
  #unsettled = 0;
  #closed = false;

  constructor(env: Environment, transmitter: Transmitter, events: BatchEvents, options: BatchOptions) {
    const { maxEvents = 500, maxBytes = 1_048_576, lingerMs = 5, maxBuffered = 10_000, maxInFlight = 4 } = options;
    this.#env = env;
    this.#transmitter = transmitter;
    this.#events = events;
    this.#policy = options.whenFull ?? "wait";
    this.#batcher = createBatcher<Waiting>(
      env.clock,
      { maxEvents, maxBytes, lingerMs, maxBuffered, maxInFlight },
      (items) => {
        events.sent(items.length);
        return transmitter.transmit(items.map(({ entry }) => entry));
      },
      () => {
        while (this.#parked.length > 0 && !this.#batcher.full()) this.#parked.shift()!(true);
      },
    );
  }

  get waiting(): number {
    return this.#batcher.waiting;
  }

  add(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<Receipt> {
    const number = this.#added++;
    this.#unsettled++;
    return new Promise((resolve, reject) => {
      let over = false;
      let waiting: Waiting | undefined;
      const limit = deadline(this.#env.clock, options);
      const settle: Settle = (result) => {
        if (over) return;
        over = true;
        limit?.stop();
        this.#settled(number);
        if (result instanceof EventError) reject(result);
        else resolve(result);
      };
      const accept = (plan: Plan): void => {
        try {
          if (!over) this.#room(() => this.#enter(plan, data, options, settle, (item) => (waiting = item)), settle);
        } catch (reason) {
          settle(EventError.from(reason, "invalid-data"));
        }
      };
      if (limit) {
        const giveUp = (): void => {
          if (waiting && this.#batcher.remove(waiting))
            waiting.entry.abandon(givenUp(limit.signal.reason as EventError, true));
          else settle(givenUp(limit.signal.reason as EventError, waiting === undefined));
        };
        limit.signal.addEventListener("abort", giveUp);
        if (limit.signal.aborted) return giveUp();
      }
      try {
        const plan = this.#transmitter.plan(type, data, options);
        if (plan instanceof Promise) plan.then(accept, (reason) => settle(EventError.from(reason, "invalid-data")));
        else accept(plan);
      } catch (reason) {
        settle(EventError.from(reason, "invalid-data"));
      }
    });
  }

  /** Runs `enter` as soon as there is room, or settles the event otherwise, as the policy says. */
  #room(enter: () => void, settle: Settle): void {
    if (this.#closed) throw new EventError("closed", "the batch is closed");
    if (!this.#batcher.full() && this.#parked.length === 0) enter();
    else if (this.#policy === "reject") throw this.#refusal("as many events as allowed wait for their batch already");
    else if (this.#policy === "drop-oldest") {
      this.#batcher.shift()?.entry.abandon(this.#refusal("dropped for a newer event"));
      enter();
    } else {
      this.#parked.push((room) => {
        try {
          if (!room) throw tooLate();
          enter();
        } catch (reason) {
          settle(EventError.from(reason, "invalid-data"));
        }
      });
    }
  }

  #enter(plan: Plan, data: unknown, options: PublishOptions, settle: Settle, entered: (item: Waiting) => void): void {
    const entry = this.#transmitter.enter(plan, data, options, settle);
    const item = { entry, bytes: sizeOf(entry) };
    entered(item);
    this.#batcher.add(item);
    if (this.#flushes.size > 0) this.#batcher.hurry();
  }

  #settled(number: number): void {
    this.#unsettled--;
    for (const flush of this.#flushes) {
      if (number > flush.upTo || --flush.left > 0) continue;
      this.#flushes.delete(flush);
      flush.done();
    }
  }

  #refusal(text: string): EventError {
    this.#events.refused(this.#policy);
    return new EventError("buffer-full", text, { retryable: true, outcome: "failed", retrySafe: true });
  }

  async flush(wait: WaitOptions = {}): Promise<void> {
    if (this.#unsettled === 0) return;
    const limit = deadline(this.#env.clock, wait);
    await new Promise<void>((done, reject) => {
      const flush: Flush = { upTo: this.#added - 1, left: this.#unsettled, done };
      const giveUp = (): void => {
        this.#flushes.delete(flush);
        reject(limit?.signal.reason);
      };
      this.#flushes.add(flush);
      limit?.signal.addEventListener("abort", giveUp);
      if (limit?.signal.aborted) giveUp();
      else this.#batcher.hurry();
    }).finally(() => limit?.stop());
  }

  async close({ deadlineMs = 10_000 }: CloseOptions = {}): Promise<CloseReport> {
    this.#closed = true;
    await withinDeadline(this.#env.clock, deadlineMs, this.flush());
    // What is on its way by now the transport settles.
    const unsent = this.#unsettled;
    for (const left of this.#parked.splice(0)) left(false);
    for (let item = this.#batcher.shift(); item; item = this.#batcher.shift()) item.entry.abandon(tooLate());
    this.#events.closed(this);
    return { unsent, unsettled: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function tooLate(): EventError {
  const text = "the batch was closed before this event was sent";
  return new EventError("closed", text, { outcome: "failed", retrySafe: true });
}

function givenUp({ code, message }: EventError, unsent: boolean): EventError {
  return new EventError(code, message, { outcome: unsent ? "failed" : "unknown", retrySafe: unsent });
}

/** About what the event takes on the wire, without encoding it a second time. */
function sizeOf({ sending: { message } }: Entry): number {
  let bytes = message.body?.length ?? 0;
  for (const part of message.headers) bytes += part.length;
  return bytes;
}
