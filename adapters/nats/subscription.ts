import { withinDeadline } from "../../core/deadline.ts";
import type { EventError } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type {
  CloseOptions,
  CloseReport,
  ConsumeSink,
  Delivery,
  Lag,
  TransportSubscription,
  Verdict,
} from "../../core/transport.ts";
import { HoldQueue } from "./hold-queue.ts";
import { incomingMessage } from "./incoming.ts";
import type { NatsMessageLike, NatsSubscriptionLike } from "./nats-like.ts";
import type { ReceiveContext } from "./receive-context.ts";

/** How long a close waits for the server to know of it; a socket that does not answer is replaced elsewhere. */
const farewellMs = 1_000;
/** Core NATS has no partitions: everything comes by this one. */
const LANE = "nats";

interface Held {
  readonly message: IncomingMessage;
  readonly position: number;
}

/** A running consumption of one or several subjects. */
export class NatsConsumer implements TransportSubscription {
  readonly #sink: ConsumeSink;
  readonly #context: ReceiveContext;
  readonly #onClose: () => void;
  readonly #held: HoldQueue<Held>;
  readonly #abort = new AbortController();
  /** The client's subscriptions; filled by whoever makes them. */
  readonly subscriptions: NatsSubscriptionLike[] = [];
  /** Set when the server refuses a subscription. */
  refused: EventError | undefined;
  /** The server said yes to every subject: from now on a refusal goes to the sink. */
  active = false;
  #credit = 0;
  #position = 0;
  #unsettled = 0;
  #paused = false;
  #overflowing = false;
  #closed = false;
  #gone: Promise<void> | undefined;

  constructor(sink: ConsumeSink, context: ReceiveContext, onClose: () => void) {
    this.#sink = sink;
    this.#context = context;
    this.#onClose = onClose;
    this.#held = new HoldQueue(context.holds, (held) => held.message.body?.length ?? 0);
  }

  /** The client's callback. */
  receive(error: Error | null, message: NatsMessageLike): void {
    if (this.#closed) return;
    if (error !== null) {
      this.refused = this.#context.natsError(error, "subscribe");
      if (this.active) this.#sink.failed(this.refused);
      return;
    }
    const held = { message: incomingMessage(message, this.#context.options.replyPrefixes), position: ++this.#position };
    if (this.#held.push(held)) {
      this.#pass();
      return;
    }
    if (this.#overflowing) return;
    this.#overflowing = true;
    const text = `nats: ${this.#held.length} messages wait for a slow consumer; newer ones are dropped`;
    this.#sink.failed(new this.#context.EventError("buffer-full", text, { retryable: true }));
  }

  credit(n: number): void {
    this.#credit += n;
    this.#pass();
  }

  pauseLane(lane: string): void {
    if (lane === LANE) this.#paused = true;
  }

  resumeLane(lane: string): void {
    if (lane !== LANE) return;
    this.#paused = false;
    this.#pass();
  }

  lag(): Promise<readonly Lag[]> {
    return Promise.resolve([{ lane: LANE, messages: this.#held.length }]);
  }

  async close({ deadlineMs = farewellMs }: CloseOptions = {}): Promise<CloseReport> {
    this.#gone ??= this.#leave(deadlineMs);
    await this.#gone;
    return { unsent: 0, unsettled: this.#unsettled };
  }

  async #leave(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#held.clear();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
    this.#abort.abort();
    this.#onClose();
    const { clock, link, options } = this.#context;
    // Until the server has read it, the group's messages may still be sent here, where nobody takes them.
    if (link.state !== "connected") return;
    const read = options.connection.flush().catch(() => undefined);
    await withinDeadline(clock, Math.min(deadlineMs, farewellMs), read);
  }

  #pass(): void {
    while (this.#credit > 0 && this.#held.length > 0 && !this.#paused && !this.#closed) {
      this.#credit--;
      const held = this.#held.shift();
      if (this.#held.length === 0) this.#overflowing = false;
      this.#unsettled++;
      this.#sink.deliver(new NatsDelivery(held, this.#abort.signal, this.#settled, this.#noRetry));
    }
  }

  readonly #noRetry = (): EventError =>
    new this.#context.EventError("unsupported", "nats: core NATS delivers once and cannot retry");

  readonly #settled = (held: Held, giveBack: boolean): void => {
    this.#unsettled--;
    if (!giveBack || this.#closed) return;
    this.#held.unshift(held);
    this.#pass();
  };
}

class NatsDelivery implements Delivery {
  readonly attempt = 1;
  readonly lane = LANE;
  readonly signal: AbortSignal;
  readonly #held: Held;
  readonly #settled: (held: Held, giveBack: boolean) => void;
  readonly #noRetry: () => EventError;
  #open = true;

  constructor(
    held: Held,
    signal: AbortSignal,
    settled: (held: Held, giveBack: boolean) => void,
    noRetry: () => EventError,
  ) {
    this.#held = held;
    this.signal = signal;
    this.#settled = settled;
    this.#noRetry = noRetry;
  }

  get message(): IncomingMessage {
    return this.#held.message;
  }

  get position(): string {
    return String(this.#held.position);
  }

  settle(verdict: Verdict): Promise<void> {
    if (verdict.kind === "retry") {
      return Promise.reject(this.#noRetry());
    }
    this.#done(false);
    return Promise.resolve();
  }

  extend(): void {}

  release(): void {
    this.#done(true);
  }

  #done(giveBack: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#settled(this.#held, giveBack);
  }
}
