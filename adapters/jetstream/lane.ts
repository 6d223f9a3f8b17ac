import { EventError, type EventErrorCode } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import { LinkedList } from "../../core/linked-list.ts";
import { sleep } from "../../core/sleep.ts";
import type { ConsumeSink, Lag } from "../../core/transport.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import { type Consumer, type ConsumerSpec, consumerLag, ensureConsumer } from "./consumer.ts";
import { type DeliveryOwner, inProgress, JetStreamDelivery } from "./delivery.ts";
import { Pull, type PullListener } from "./pull.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { Settler } from "./settler.ts";

/** What a lane needs of its subscription. */
export interface LaneOwner {
  readonly context: ReceiveContext;
  readonly sink: ConsumeSink;
  readonly signal: AbortSignal;
  /** Takes one credit; false where there is none. */
  take(): boolean;
  /** Gives back a credit that nothing was delivered for. */
  give(): void;
  /** There may be something to ask for. */
  fill(): void;
}

/** Pause before a consumer that fell silent is asked for again. */
const recoverPauseMs = 250;

/** One consumer at the server and what comes from it, until its verdict is sent. */
export class Lane implements DeliveryOwner, PullListener {
  readonly lane: string;
  readonly spec: ConsumerSpec;
  readonly partitioned: boolean;
  /** It asks for little beside the others and has no lag of its own. */
  readonly aside: boolean = false;
  consumer: Consumer;
  paused: boolean = false;
  /** Handed out and not settled. */
  readonly open: LinkedList<JetStreamDelivery> = new LinkedList();
  readonly settler: Settler;
  protected readonly owner: LaneOwner;
  readonly #pull: Pull;
  /** Came while paused or without credit. */
  readonly #held = new Fifo<NatsMessageLike>();
  /** Sequences that the server still owes a verdict; kept where a new consumer would have to begin with them. */
  readonly #owed: Set<number> | undefined;
  #lastSequence = 0;
  #recovering = false;
  protected closing: boolean = false;

  constructor(owner: LaneOwner, lane: string, spec: ConsumerSpec, consumer: Consumer, partitioned: boolean) {
    this.owner = owner;
    this.lane = lane;
    this.spec = spec;
    this.consumer = consumer;
    this.partitioned = partitioned;
    this.#owed = spec.durable === undefined ? new Set() : undefined;
    this.settler = new Settler(owner.context);
    this.#pull = new Pull(owner.context, this);
  }

  get signal(): AbortSignal {
    return this.owner.signal;
  }

  /** Asks for messages up to `wanted` in all, once that is worth a request: `window` is the credit at its height. */
  fill(wanted: number, window: number): void {
    const missing = wanted - this.#pull.requested - this.#held.length;
    if (missing <= 0 || this.paused || this.closing || this.#recovering) return;
    if (missing * 2 < window && this.#pull.requested > 0) return;
    if (this.owner.context.link.state !== "connected") return;
    this.#pull.ask(this.spec.stream, this.consumer.name, missing);
  }

  /** Hands out what is held, as far as credit goes. */
  pass(): void {
    while (this.#held.length > 0 && !this.paused && !this.closing && this.owner.take()) {
      this.hand(this.#held.shift()!);
    }
  }

  message(message: NatsMessageLike): void {
    if (this.closing) new JetStreamDelivery(this, message).release();
    else if (!this.paused && this.#held.length === 0 && this.owner.take()) this.hand(message);
    else this.#held.push(message);
  }

  ended(): void {
    this.owner.fill();
  }

  lost(code: EventErrorCode, why: string, cause?: unknown): void {
    if (this.closing || this.#recovering) return;
    this.#pull.requested = 0;
    this.fail(new EventError(code, `jetstream: ${this.lane}: ${why}`, { cause, retryable: true }));
    void this.#recover();
  }

  /** It was another connection that the server was asked over. */
  reconnected(): void {
    this.#pull.requested = 0;
    this.settler.reconnected();
  }

  silentSince(timeMs: number): boolean {
    return !this.#recovering && this.#pull.silentSince(timeMs);
  }

  finish(delivery: JetStreamDelivery, payload: Uint8Array, done: boolean): Promise<void> {
    this.open.remove(delivery);
    if (done) this.#owed?.delete(delivery.stored.sequence);
    const { reply, stored } = delivery;
    return this.settler.send({ reply, payload, order: done ? stored.consumerSequence : 0 });
  }

  extend(reply: string, payload: Uint8Array): void {
    const { link, options } = this.owner.context;
    if (link.state === "connected" && !this.signal.aborted) options.connection.publish(reply, payload);
  }

  /** Says of everything unfinished, and of what is held, that it is being worked on. */
  keep(): void {
    for (const delivery of this.open) delivery.extend();
    for (const { reply } of this.#held) this.extend(reply!, inProgress);
  }

  async lag(): Promise<Lag> {
    return {
      lane: this.lane,
      messages: await consumerLag(this.owner.context.api, this.spec.stream, this.consumer.name),
    };
  }

  /** Gives back what nobody has seen, what is on its way included; resolves when every verdict is confirmed. */
  async stop(): Promise<void> {
    this.closing = true;
    for (let next = this.#held.shift(); next; next = this.#held.shift()) this.message(next);
    await this.#pull.close();
    await this.handing();
    await this.settler.settled();
  }

  /** No more deliveries of the lane of that name until {@link resume}. */
  pause(name: string): void {
    if (name === this.lane) this.paused = true;
  }

  /** Undoes {@link pause}. */
  resume(name: string): void {
    if (name !== this.lane) return;
    this.paused = false;
    this.pass();
  }

  /** Resolves when what came is handed out. */
  protected handing(): Promise<void> {
    return Promise.resolve();
  }

  protected hand(message: NatsMessageLike): void {
    const delivery = new JetStreamDelivery(this, message);
    if (this.#owed) {
      const { sequence } = delivery.stored;
      this.#owed.add(sequence);
      this.#lastSequence = Math.max(this.#lastSequence, sequence);
    }
    this.open.push(delivery);
    this.owner.sink.deliver(delivery);
  }

  protected fail(error: EventError): void {
    this.owner.sink.failed(error);
  }

  /** Makes sure that the consumer exists, then goes on. Tells each failure once. */
  async #recover(): Promise<void> {
    const { api, clock } = this.owner.context;
    this.#recovering = true;
    let told = "";
    while (!this.closing) {
      await sleep(clock, recoverPauseMs, this.signal);
      if (this.closing) break;
      try {
        const from = this.#lastSequence > 0 && this.#owed ? this.#resume(this.#owed) : this.spec.from;
        const consumer = await ensureConsumer(api, { ...this.spec, from });
        this.consumer = consumer;
        if (consumer.made) this.settler.forget();
        break;
      } catch (reason) {
        const error = EventError.from(reason);
        if (error.message !== told) this.fail(error);
        told = error.message;
      }
    }
    this.#recovering = false;
    this.owner.fill();
  }

  /** Where a consumer without a name begins when it is made anew: at the first message without a verdict. */
  #resume(owed: Set<number>): string {
    let first = this.#lastSequence + 1;
    for (const sequence of owed) first = Math.min(first, sequence);
    return String(first);
  }
}
