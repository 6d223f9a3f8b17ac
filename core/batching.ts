import { type Deadline, deadline, withinDeadline } from "./deadline.ts";
import { type Batcher, type BatchItem, createBatcher } from "./delivery/batch.ts";
import { Entry } from "./entry.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { BatchOptions, EventBatch } from "./event-batch.ts";
import { Fifo } from "./fifo.ts";
import type { OutgoingMessage } from "./message.ts";
import type { PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Transmitter } from "./publish-all.ts";
import type { Plan } from "./routing.ts";
import { keepContext } from "./telemetry/keep-context.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";

/** What a batch tells whoever measures. */
export interface BatchEvents {
  sent(count: number): void;
  refused(policy: string): void;
  closed(batch: BusBatch): void;
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
  readonly #batcher: Batcher<Addition>;
  readonly #policy: NonNullable<BatchOptions["whenFull"]>;
  /** What waits for room, in the order of the calls. */
  readonly #parked = new Fifo<{ readonly addition: Addition; readonly enter: () => void }>();
  readonly #flushes = new Set<Flush>();
  /** Until the last event whose schema is asked has its place. */
  #planning: Promise<void> | undefined;
  #undecided = 0;
  #added = 0;
  #unsettled = 0;
  #closed = false;

  constructor(env: Environment, transmitter: Transmitter, events: BatchEvents, options: BatchOptions) {
    const { maxEvents = 500, maxBytes = 1_048_576, lingerMs = 5, maxBuffered = 10_000, maxInFlight = 4 } = options;
    for (const [name, value] of Object.entries({ maxEvents, maxBytes, maxBuffered, maxInFlight, lingerMs })) {
      const least = name === "lingerMs" ? 0 : 1;
      if (value >= least) continue;
      throw new EventError("invalid-option", `batch: ${name} must be a number from ${least}, not ${value}`);
    }
    this.#env = env;
    this.#transmitter = transmitter;
    this.#events = events;
    this.#policy = options.whenFull ?? "wait";
    this.#batcher = createBatcher<Addition>(
      env.clock,
      { maxEvents, maxBytes, lingerMs, maxBuffered, maxInFlight },
      (items) => {
        events.sent(items.length);
        return transmitter.transmit(items);
      },
      () => {
        while (this.#parked.length > 0 && !this.#batcher.full()) {
          this.#parked.shift()!.enter();
        }
      },
    );
  }

  get waiting(): number {
    return this.#batcher.waiting;
  }

  add(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<Receipt> {
    this.#unsettled++;
    const addition = new Addition(options, this.#added++, this.#settled);
    const limit = deadline(this.#env.clock, options);
    if (limit) {
      addition.limit = limit;
      const giveUp = (): void => {
        const reason = limit.signal.reason as EventError;
        if (this.#batcher.remove(addition)) addition.abandon(givenUp(reason, true));
        else addition.settle(givenUp(reason, addition.bytes === 0));
      };
      limit.signal.addEventListener("abort", giveUp);
      if (limit.signal.aborted) giveUp();
    }
    try {
      this.#checkOpen();
      const plan = this.#transmitter.plan(type, data, options);
      if (plan instanceof Promise || this.#planning) this.#afterOthers(addition, Promise.resolve(plan), data);
      else this.#accept(addition, plan, data);
    } catch (reason) {
      addition.refuse(reason);
    }
    return addition.settled;
  }

  /** An event whose schema takes its time keeps its place: those added later wait for it. */
  #afterOthers(addition: Addition, plan: Promise<Plan>, data: unknown): void {
    plan.catch(() => undefined); // it may be refused before its turn
    this.#undecided++;
    const turn = (this.#planning ?? Promise.resolve())
      .then(() => plan)
      .then(
        keepContext((found: Plan) => {
          this.#checkOpen();
          this.#accept(addition, found, data);
        }),
      )
      .catch((reason) => addition.refuse(reason))
      .then(() => {
        this.#undecided--;
        if (this.#planning === turn) this.#planning = undefined;
      });
    this.#planning = turn;
  }

  #checkOpen(): void {
    if (this.#closed) throw new EventError("closed", "the batch is closed");
  }

  /** Takes the event as soon as there is room, or settles it otherwise, as the policy says. */
  #accept(addition: Addition, plan: Plan, data: unknown): void {
    if (addition.over) return;
    if (!this.#batcher.full() && this.#parked.length === 0) this.#enter(addition, plan, data);
    else if (this.#policy === "wait") {
      this.#parked.push({ addition, enter: keepContext(() => this.#enter(addition, plan, data)) });
    } else if (this.#policy === "reject") {
      addition.refuse(this.#refusal("as many events as allowed wait for their batch already"));
    } else this.#enter(addition, plan, data);
  }

  #enter(addition: Addition, plan: Plan, data: unknown): void {
    if (addition.over) return;
    try {
      this.#transmitter.enter(addition, plan, data, addition.options);
      addition.bytes = sizeOf(addition.sending.message);
      // Only now: for an event that cannot be sent none is dropped.
      if (this.#policy === "drop-oldest" && this.#batcher.full()) {
        this.#batcher.shift()?.abandon(this.#refusal("dropped for a newer event"));
      }
      this.#batcher.add(addition);
      if (this.#flushes.size > 0) this.#batcher.hurry();
    } catch (reason) {
      addition.refuse(reason);
    }
  }

  readonly #settled = (number: number): void => {
    this.#unsettled--;
    for (const flush of this.#flushes) {
      if (number > flush.upTo || --flush.left > 0) continue;
      this.#flushes.delete(flush);
      flush.done();
    }
  };

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

  async close(options?: CloseOptions): Promise<CloseReport> {
    const { cutOff, onItsWay } = await this.shut(options);
    return { unsent: cutOff + onItsWay, unsettled: 0 };
  }

  /** Closes, and tells what waited to the end from what is on its way, which the transport settles and counts as well. */
  async shut({ deadlineMs = 10_000 }: CloseOptions = {}): Promise<{ cutOff: number; onItsWay: number }> {
    this.#closed = true;
    await withinDeadline(this.#env.clock, deadlineMs, this.flush());
    const before = this.#unsettled;
    for (let next = this.#parked.shift(); next; next = this.#parked.shift()) next.addition.settle(tooLate());
    for (let left = this.#batcher.shift(); left; left = this.#batcher.shift()) left.abandon(tooLate());
    this.#events.closed(this);
    const onItsWay = this.#unsettled - this.#undecided;
    return { cutOff: before - onItsWay, onItsWay };
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
function sizeOf({ headers, body }: OutgoingMessage): number {
  let bytes = body?.length ?? 0;
  for (const part of headers) bytes += part.length;
  return bytes;
}

/** One added event until it is settled. */
class Addition extends Entry implements BatchItem {
  readonly options: PublishOptions;
  readonly settled: Promise<Receipt>;
  readonly #number: number;
  readonly #done: (number: number) => void;
  #resolve!: (receipt: Receipt) => void;
  #reject!: (error: EventError) => void;
  limit: Deadline | undefined;
  /** 0 until it is encoded. */
  bytes = 0;
  over = false;

  constructor(options: PublishOptions, number: number, done: (number: number) => void) {
    super();
    this.options = options;
    this.#number = number;
    this.#done = done;
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The first call counts. */
  settle(result: Receipt | EventError): void {
    if (this.over) return;
    this.over = true;
    this.limit?.stop();
    this.#done(this.#number);
    if (result instanceof EventError) this.#reject(result);
    else this.#resolve(result);
  }

  refuse(reason: unknown): void {
    this.settle(EventError.from(reason, "invalid-data"));
  }
}
