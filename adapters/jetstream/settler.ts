import { EventError } from "../../core/errors.ts";
import type { NatsMessageLike, NatsSubscriptionLike } from "../nats/nats-like.ts";
import type { ReceiveContext } from "./receive-context.ts";

interface Verdict {
  readonly reply: string;
  readonly payload: Uint8Array;
  /** Of what is done with: the number of the delivery in the consumer. */
  readonly order: number;
}

interface Batch {
  readonly verdicts: Verdict[];
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

/** So often a batch is sent over a connection that lives, before it counts as unknown to the consumer. */
const maxTries = 4;

/**
 * Sends the verdicts of one consumer and confirms them in bulk. The consumer takes them in order and answers the one
 * that asks for it: so the last of a batch asks, and its answer stands for all. Meanwhile the next batch gathers.
 *
 * What is not answered is sent again; a second copy of a verdict does no harm. A server that was killed may have
 * forgotten its last deliveries, and never answers an ack of these: it will deliver them again. So the one that asks is
 * the ack of the latest delivery, which a consumer knows only if it knows all before.
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
  #tries = 0;
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

  /** Resolves when the consumer has the verdict; rejects with `fenced` when nobody can tell that it has. */
  send(verdict: Verdict): Promise<void> {
    if (this.#closed) return Promise.reject(fenced());
    this.#gathering.verdicts.push(verdict);
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
    const batch = this.#confirming;
    if (!batch) this.#next();
    else if (this.#tries >= maxTries) {
      this.#confirming = undefined;
      batch.reject(fenced());
      this.#next();
    } else if (this.#sentMs <= sinceMs) this.#write(batch);
  }

  /** Another connection: everything goes over this one. */
  reconnected(): void {
    this.#tries = 0;
    this.again(Number.POSITIVE_INFINITY);
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
    this.#tries = 0;
    this.#write(this.#confirming);
  }

  #write({ verdicts }: Batch): void {
    const { link, clock, options } = this.#context;
    this.#sentMs = clock.now();
    // While it dials the client would drop everything; the next connection gets it.
    if (link.state !== "connected") return;
    this.#tries++;
    const { connection } = options;
    const last = verdicts.reduce((latest, each) => (each.order >= latest.order ? each : latest));
    try {
      this.#subscription ??= connection.subscribe(`${this.#inbox}.*`, { callback: this.#answered });
      for (const each of verdicts) if (each !== last) connection.publish(each.reply, each.payload);
      connection.publish(last.reply, last.payload, { reply: `${this.#inbox}.${this.#number}` });
    } catch {
      // A connection that closes: the link says so next.
    }
  }

  readonly #answered = (error: Error | null, message: NatsMessageLike): void => {
    const batch = this.#confirming;
    if (error || !batch || message.subject !== `${this.#inbox}.${this.#number}`) return;
    if (message.data.length === 0 && message.headers?.code === 503) {
      // The consumer is not there now. It is asked again, or replaced by its lane.
      this.#tries = 0;
      return;
    }
    this.#confirming = undefined;
    batch.resolve();
    this.#next();
  };
}

function fenced(): EventError {
  const text = "jetstream: no consumer confirmed this verdict: the event may come again";
  return new EventError("fenced", text, { retryable: true });
}
