import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { TransactionalPublisher } from "../../core/transport.ts";
import { connectionEvents, unsupported } from "./connection-events.ts";
import type { DemandContext, Running } from "./demand-context.ts";
import type { KafkaTransactions, OutgoingRecord, ProduceFailure } from "./driver.ts";
import { aborted } from "./outcome.ts";
import { prepare } from "./outgoing.ts";

/** How long a publisher that is closed may take to undo what it began, in milliseconds. */
const closeMs = 5_000;

/**
 * Opens the one publisher of that name, which is Kafka's transactional id: every earlier one is fenced, and what it left
 * open is undone before this resolves.
 *
 * Rejects with `unsupported` for a driver without transactions, and as `publish` does.
 */
export async function openTransactions(context: DemandContext, name: string): Promise<TransactionalPublisher> {
  const { driver, maxMessageBytes } = context.settings;
  if (!driver.openTransactions) throw unsupported(context, "openTransactions");
  if (typeof name !== "string" || name === "") {
    throw new EventError("invalid-option", "name: a string that is not empty");
  }
  const publisher = new KafkaTransactionalPublisher(context, name);
  try {
    await publisher.open(driver.openTransactions({ name, maxMessageBytes }, connectionEvents(context, publisher)));
  } catch (cause) {
    throw EventError.from(cause);
  }
  return publisher;
}

/**
 * Stores the messages of one call all or none. Calls wait for each other, so that their order is the order in which they
 * are stored.
 *
 * Rejects with `fenced` once another publisher has the name, for good. What was not stored and may be tried again rejects
 * with `outcome` `failed`. Where the answer to a commit is missing the outcome is `unknown` and this publisher is over:
 * the next of its name waits until the brokers have ended that transaction one way or the other. A `signal` gives up what
 * is not being committed yet; the answer to a commit is awaited in any case.
 */
class KafkaTransactionalPublisher implements TransactionalPublisher {
  readonly #context: DemandContext;
  readonly #name: string;
  #producer: KafkaTransactions | undefined;
  /** Why nothing more can be stored. */
  #over: EventError | undefined;
  /** Settles when the calls before are done. */
  #turn: Promise<void> = Promise.resolve();
  #closing: Promise<number> | undefined;
  readonly #closed = new AbortController();
  readonly #running: Running = { close: (timeoutMs) => this.#end(timeoutMs) };
  /** Accepted and not settled. */
  #messages = 0;
  #bytes = 0;
  /** Given up by the close. */
  #unsent = 0;

  constructor(context: DemandContext, name: string) {
    this.#context = context;
    this.#name = name;
    context.running.add(this.#running);
  }

  async open(opening: Promise<KafkaTransactions>): Promise<void> {
    try {
      this.#producer = await opening;
      if (!this.#over) return;
      await this.#producer.close(0);
      throw this.#over;
    } catch (cause) {
      this.#leave();
      throw cause;
    }
  }

  async publish(
    messages: readonly OutgoingMessage[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (this.#over) throw this.#over;
    if (signal?.aborted) throw notStored(aborted(signal));
    const { records, bytes } = this.#accept(messages);
    this.#messages += records.length;
    this.#bytes += bytes;
    const before = this.#turn;
    let leave = (): void => undefined;
    this.#turn = new Promise((resolve) => {
      leave = resolve;
    });
    const given = new Giving(this.#closed.signal, signal);
    const run = before.then(() => (given.error ? undefined : this.#store(records, given)));
    // Who gave up waiting must not let the next one past what is still under way.
    const left = (): void => {
      this.#messages -= records.length;
      this.#bytes -= bytes;
      leave();
    };
    void run.then(left, left);
    try {
      await given.up(run);
    } catch (error) {
      if (this.#closing) this.#unsent += records.length;
      throw error;
    }
  }

  #accept(messages: readonly OutgoingMessage[]): { readonly records: OutgoingRecord[]; readonly bytes: number } {
    const { buffer, driver, maxMessageBytes } = this.#context.settings;
    const records: OutgoingRecord[] = [];
    let bytes = 0;
    for (const message of messages) {
      const prepared = prepare(message, driver.encode, maxMessageBytes);
      if (prepared.error) throw notStored(prepared.error);
      records.push(prepared.record);
      bytes += prepared.bytes;
    }
    if (this.#messages + records.length > buffer.messages || this.#bytes + bytes > buffer.bytes) {
      const error = `${this.#messages} messages wait for a transaction of "${this.#name}" already`;
      throw notStored(new EventError("buffer-full", error, { retryable: this.#messages > 0 }));
    }
    return { records, bytes };
  }

  async #store(records: readonly OutgoingRecord[], given: Giving): Promise<void> {
    if (this.#over) throw this.#over;
    if (records.length === 0) return;
    const failure = await this.#producer!.store(records, given.signal, () => given.noMore());
    if (!failure) return;
    if (failure.fatal) this.#fail(failure);
    throw withOutcome(failure.error, failure.outcome);
  }

  #fail({ error }: ProduceFailure): void {
    const fenced = error.code === "fenced";
    const why = fenced
      ? `Another publisher has the name "${this.#name}"`
      : `The publisher "${this.#name}" ended with an earlier transaction: open another`;
    this.#over ??= notStored(new EventError(error.code, why, { cause: error }));
    this.#leave();
    void this.#producer!.close(0).catch(() => undefined);
  }

  #leave(): void {
    this.#context.running.delete(this.#running);
    this.#context.status.forget(this);
  }

  async close(): Promise<void> {
    await this.#end(closeMs);
  }

  #end(timeoutMs: number): Promise<number> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<number> {
    this.#over ??= notStored(new EventError("closed", `The publisher "${this.#name}" is closed`));
    await undefined; // what rejects now is counted
    this.#closed.abort(this.#over);
    await withinDeadline(this.#context.settings.clock, timeoutMs, this.#turn);
    this.#leave();
    await this.#producer?.close(timeoutMs).catch(() => undefined);
    return this.#unsent + this.#messages;
  }
}

/** Gives a transaction up when its caller or the transport does, as long as it can still be undone. */
class Giving {
  readonly #control = new AbortController();
  readonly #signals: readonly AbortSignal[];
  #final = false;
  #reject: (error: EventError) => void = () => undefined;
  error: EventError | undefined;

  constructor(closed: AbortSignal, signal: AbortSignal | undefined) {
    this.#signals = signal ? [closed, signal] : [closed];
    for (const each of this.#signals) each.addEventListener("abort", this.#onAbort);
  }

  /** Aborts when it was given up. */
  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** It is being committed: its answer is awaited. */
  noMore(): void {
    this.#final = true;
  }

  /** What `run` gives, unless it was given up before. */
  async up(run: Promise<void>): Promise<void> {
    const given = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    try {
      await Promise.race([given, run]);
    } finally {
      for (const each of this.#signals) each.removeEventListener("abort", this.#onAbort);
    }
  }

  readonly #onAbort = (event: Event): void => {
    if (this.#final || this.error) return;
    const signal = event.target as AbortSignal;
    this.error = notStored(signal === this.#signals[0] ? (signal.reason as EventError) : aborted(signal));
    this.#control.abort(this.error);
    this.#reject(this.error);
  };
}

/** The same error, saying that nothing was stored. */
const notStored = (error: EventError): EventError => withOutcome(error, "failed");

function withOutcome(error: EventError, outcome: "failed" | "unknown"): EventError {
  const { code, message, retryable } = error;
  const cause = error.cause ?? error;
  return new EventError(code, message, { cause, retryable, outcome, retrySafe: outcome === "failed" });
}
