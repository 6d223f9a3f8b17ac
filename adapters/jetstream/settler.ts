import { EventError } from "../../core/errors.ts";
import type { Link } from "../nats/link.ts";
import type { NatsLike } from "../nats/nats-like.ts";

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
 * Sends verdicts and confirms them in bulk: while one PING is on its way, what is settled gathers for the next. Verdicts
 * whose PING was lost with the connection are sent again; to send one twice does no harm.
 */
export class Settler {
  readonly #connection: NatsLike;
  readonly #link: Link;
  readonly #unlisten: () => void;
  #gathering = newBatch();
  #confirming: Batch | undefined;
  #scheduled = false;
  #closed = false;

  constructor(connection: NatsLike, link: Link) {
    this.#connection = connection;
    this.#link = link;
    this.#unlisten = link.listen(({ type }) => {
      if (type === "connected") this.#again();
    });
  }

  /** Verdicts that no PONG has confirmed. */
  get unconfirmed(): number {
    return this.#gathering.verdicts.length + (this.#confirming?.verdicts.length ?? 0);
  }

  /** Resolves when the server has the verdict. */
  send(reply: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(fenced());
    this.#gathering.verdicts.push({ reply, payload });
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#confirm();
      });
    }
    return this.#gathering.done;
  }

  /** Resolves when everything sent so far is confirmed, or can not be any more. */
  settled(): Promise<void> {
    const { verdicts, done } = this.#gathering;
    const last = verdicts.length > 0 ? done : this.#confirming?.done;
    return last?.catch(() => undefined) ?? Promise.resolve();
  }

  /** Whatever is not confirmed by now is void. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten();
    this.#confirming?.reject(fenced());
    this.#gathering.reject(fenced());
  }

  /** Writes what gathered in one go, and a PING behind it. */
  #confirm(): void {
    if (this.#closed || this.#confirming || this.#gathering.verdicts.length === 0) return;
    // While it dials the client would drop everything; the next connection gets it.
    if (this.#link.state !== "connected") return;
    const batch = this.#gathering;
    this.#confirming = batch;
    this.#gathering = newBatch();
    try {
      for (const { reply, payload } of batch.verdicts) this.#connection.publish(reply, payload);
    } catch {
      // A connection that closes: the link says so next.
    }
    this.#connection.flush().then(
      () => {
        if (this.#confirming !== batch) return;
        this.#confirming = undefined;
        batch.resolve();
        this.#confirm();
      },
      () => {
        // The client dialled: it says "connected" once it is through, and everything goes again.
        if (this.#confirming === batch) this.#link.lost();
      },
    );
  }

  #again(): void {
    const before = this.#confirming;
    this.#confirming = undefined;
    if (before) {
      // One batch again: what gathered meanwhile comes behind it, and both are confirmed together.
      before.verdicts.push(...this.#gathering.verdicts);
      before.done.then(this.#gathering.resolve, this.#gathering.reject);
      this.#gathering = before;
    }
    this.#confirm();
  }
}

function fenced(): EventError {
  const text = "jetstream: the subscription is closed, so its deliveries come again elsewhere";
  return new EventError("fenced", text, { retryable: true });
}
