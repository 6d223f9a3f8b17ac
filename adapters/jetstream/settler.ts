import { EventError } from "../../core/errors.ts";
import type { NatsMessageLike, NatsSubscriptionLike } from "../nats/nats-like.ts";
import type { ReceiveContext } from "./receive-context.ts";

interface Batch {
  readonly verdicts: { readonly reply: string; readonly payload: Uint8Array }[];
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: EventError) => void;
}

function newBatch(): Batch {
  let resolve = (): void => {};
  let reject = (_: EventError): void => {};
  const done = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Nobody has to wait for a verdict.
  done.catch(() => undefined);
  return { verdicts: [], done, resolve, reject };
}

/**
 * Sends the verdicts of one consumer and confirms them in bulk. The consumer takes them in order and answers the one
 * that asks for it: so the last of a batch asks, and its answer stands for all. Meanwhile the next batch gathers.
 *
 * What is not answered is sent again; a second copy of a verdict does no harm.
 */
export class Settler {
  readonly #context: ReceiveContext;
  readonly #inbox: string;
  #subscription: NatsSubscriptionLike | undefined;
  #gathering = newBatch();
  #confirming: Batch | undefined;
  /** Answers to an earlier copy of a batch count too, but not those to an earlier batch. */
  #number = 0;
  #sentMs = 0;
  #scheduled = false;
  #closed = false;

  constructor(context: ReceiveContext) {
    this.#context = context;
    this.#inbox = context.inbox();
  }

  /** Verdicts that the consumer has not confirmed. */
  get unconfirmed(): number {
    return this.#gathering.verdicts.length + (this.#confirming?.verdicts.length ?? 0);
  }

  /** Resolves when the consumer has the verdict; rejects with `fenced` when it never will. */
  send(reply: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(fenced());
    this.#gathering.verdicts.push({ reply, payload });
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#next();
      });
    }
    return this.#gathering.done;
  }

  /** Resolves when everything sent so far is confirmed, or can not be any more. */
  settled(): Promise<void> {
    const last = this.#gathering.verdicts.length > 0 ? this.#gathering : this.#confirming;
    return last?.done.catch(() => undefined) ?? Promise.resolve();
  }

  /** Sends again what has waited for its answer since then. */
  again(sinceMs: number): void {
    if (this.#confirming && this.#sentMs <= sinceMs) this.#write(this.#confirming);
    else this.#next();
  }

  /** The consumer is another: its messages come again. */
  forget(): void {
    const gone = [this.#confirming, this.#gathering];
    this.#confirming = undefined;
    this.#gathering = newBatch();
    for (const batch of gone) batch?.reject(fenced());
  }

  /** Whatever is not confirmed by now is void. */
  close(): void {
    this.#closed = true;
    this.forget();
    this.#subscription?.unsubscribe();
  }

  #next(): void {
    if (this.#closed || this.#confirming || this.#gathering.verdicts.length === 0) return;
    this.#confirming = this.#gathering;
    this.#gathering = newBatch();
    this.#number++;
    this.#write(this.#confirming);
  }

  #write({ verdicts }: Batch): void {
    const { link, clock, options } = this.#context;
    this.#sentMs = clock.now();
    // While it dials the client would drop everything; the next connection gets it.
    if (link.state !== "connected") return;
    const { connection } = options;
    try {
      this.#subscription ??= connection.subscribe(`${this.#inbox}.*`, { callback: this.#answered });
      const last = verdicts.length - 1;
      for (let n = 0; n < last; n++) connection.publish(verdicts[n]!.reply, verdicts[n]!.payload);
      const { reply, payload } = verdicts[last]!;
      connection.publish(reply, payload, { reply: `${this.#inbox}.${this.#number}` });
    } catch {
      // A connection that closes: the link says so next.
    }
  }

  readonly #answered = (error: Error | null, message: NatsMessageLike): void => {
    const batch = this.#confirming;
    if (error || !batch || message.subject !== `${this.#inbox}.${this.#number}`) return;
    // No responders: the consumer is not there now. It is asked again, or replaced by its lane.
    if (message.data.length === 0 && message.headers?.code === 503) return;
    this.#confirming = undefined;
    batch.resolve();
    this.#next();
  };
}

function fenced(): EventError {
  const text = "jetstream: this delivery can not be settled any more, and the event comes again";
  return new EventError("fenced", text, { retryable: true });
}
