import type {
  NatsLike,
  NatsMessageLike,
  NatsPublishOptionsLike,
  NatsStatusLike,
  NatsSubscribeOptionsLike,
  NatsSubscriptionLike,
} from "../../../adapters/nats/index.ts";
import type { Clock, Timer } from "../../../core/clock.ts";
import { FakeConsumer, type Pull } from "./fake-consumer.ts";

const text = new TextDecoder();
const bytes = new TextEncoder();
const headersOf = (code: number, description = "") => Object.assign(new Map<string, string[]>(), { code, description });

/** A model of a JetStream with one stream, for what consumers see of it. */
export class FakeJetStream {
  readonly clock: Clock;
  readonly stored: { readonly subject: string; readonly body: string }[] = [];
  readonly consumers = new Map<string, FakeConsumer>();
  #unnamed = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  store(subject: string, ...bodies: string[]): void {
    for (const body of bodies) this.stored.push({ subject, body });
    for (const consumer of this.consumers.values()) consumer.pump();
  }

  /** The only consumer. */
  get consumer(): FakeConsumer {
    const [only, ...others] = this.consumers.values();
    if (!only || others.length > 0) throw new Error(`${this.consumers.size} consumers`);
    return only;
  }

  /** The server forgets what was asked for, without a word. */
  forgetPulls(): void {
    for (const consumer of this.consumers.values()) for (const pull of consumer.pulls) consumer.forget(pull);
  }

  /** Someone deletes the only consumer; who pulls from it is told. */
  deleteConsumer(): void {
    const { name, pulls } = this.consumer;
    this.consumers.delete(name);
    for (const { client, inbox, timer } of pulls) {
      timer.cancel();
      client.receive(inbox, { subject: inbox, data: new Uint8Array(), headers: headersOf(409, "Consumer Deleted") });
    }
  }

  /** The API: what it answers to a request. */
  answer(subject: string, body: string): object {
    const [what, verb, , name] = subject.slice("$JS.API.".length).split(".");
    if (what === "STREAM") {
      if (verb === "NAMES") return { streams: ["S"] };
      return verb === "INFO" ? { error: { code: 404, err_code: 10059, description: "stream not found" } } : {};
    }
    if (verb === "CREATE") {
      const made = new FakeConsumer(this, name ?? `unnamed${++this.#unnamed}`, JSON.parse(body).config);
      this.consumers.set(made.name, made);
    } else if (verb === "DELETE") this.consumers.delete(name!);
    const found = verb === "CREATE" ? [...this.consumers.values()].at(-1) : this.consumers.get(name!);
    if (!found) return { error: { code: 404, err_code: 10014, description: "consumer not found" } };
    return { name: found.name, config: { max_deliver: -1, ...found.config }, num_pending: 0, num_ack_pending: 0 };
  }

  pull(client: FakeClient, inbox: string, name: string, body: string): void {
    const consumer = this.consumers.get(name);
    if (!consumer) return;
    const { batch, idle_heartbeat } = JSON.parse(body) as { batch: number; idle_heartbeat: number };
    const beat = (): Timer =>
      this.clock.after(pull.heartbeatMs, () => {
        pull.timer = beat();
        client.receive(inbox, { subject: inbox, data: new Uint8Array(), headers: headersOf(100) });
      });
    const pull: Pull = {
      client,
      inbox,
      left: batch,
      heartbeatMs: idle_heartbeat / 1e6,
      timer: { cancel: () => undefined },
    };
    pull.timer = beat();
    consumer.pulls.push(pull);
    consumer.pump();
  }
}

/** A client of a {@link FakeJetStream}: what it does takes a turn of the microtask queue to arrive. */
export class FakeClient implements NatsLike {
  info = { max_payload: 100_000 };
  readonly #server: FakeJetStream;
  readonly #callbacks = new Map<string, NatsSubscribeOptionsLike["callback"]>();
  #dead = false;

  constructor(server: FakeJetStream) {
    this.#server = server;
  }

  /** Its process is gone. */
  die(): void {
    this.#dead = true;
    for (const consumer of this.#server.consumers.values()) {
      for (const pull of consumer.pulls) if (pull.client === this) consumer.forget(pull);
    }
  }

  receive(inbox: string, message: NatsMessageLike): void {
    if (this.#dead) return;
    const wildcard = `${inbox.slice(0, inbox.lastIndexOf("."))}.*`;
    const callback = this.#callbacks.get(inbox) ?? this.#callbacks.get(wildcard);
    queueMicrotask(() => !this.#dead && callback?.(null, message));
  }

  publish(subject: string, payload: Uint8Array = new Uint8Array(), { reply }: NatsPublishOptionsLike = {}): void {
    queueMicrotask(() => {
      if (this.#dead) return;
      const tokens = subject.split(".");
      if (subject.startsWith("$JS.API.CONSUMER.MSG.NEXT.")) {
        this.#server.pull(this, reply!, tokens.at(-1)!, text.decode(payload));
      } else if (subject.startsWith("$JS.ACK.")) {
        const read = this.#server.consumers.get(tokens[3]!)?.read(Number(tokens[5]), text.decode(payload));
        if (read && reply) this.receive(reply, { subject: reply, data: new Uint8Array() });
      }
    });
  }

  subscribe(subject: string, { callback }: NatsSubscribeOptionsLike = {}): NatsSubscriptionLike {
    this.#callbacks.set(subject, callback);
    const unsubscribe = (): void => void this.#callbacks.delete(subject);
    return {
      unsubscribe,
      drain: async () => {
        for (let turn = 0; turn < 5; turn++) await undefined;
        unsubscribe();
      },
    };
  }

  async request(subject: string, payload: Uint8Array = new Uint8Array()): Promise<NatsMessageLike> {
    const answer = this.#server.answer(subject, text.decode(payload));
    return { subject, data: bytes.encode(JSON.stringify(answer)) };
  }

  flush(): Promise<void> {
    return this.#dead ? new Promise(() => undefined) : Promise.resolve();
  }

  async *status(): AsyncGenerator<NatsStatusLike> {
    await new Promise(() => undefined);
  }

  closed(): Promise<void> {
    return new Promise(() => undefined);
  }

  isClosed(): boolean {
    return false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
