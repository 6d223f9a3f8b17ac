import type { NatsLike, NatsMessageLike, NatsStatusLike } from "../../../adapters/nats/index.ts";

interface Written {
  readonly subject: string;
  readonly id: string;
  readonly body: string;
  readonly reply: string;
}

const text = new TextDecoder();
const encoder = new TextEncoder();

/**
 * A model of a client and the JetStream behind it, step by step: what is written travels, is stored once per id, and is
 * answered; a socket may die with anything on its way, and what the client holds is dropped when it dials.
 */
export class FakeServer implements NatsLike {
  info: { max_payload: number } | undefined = { max_payload: 100_000 };
  /** Bodies in the order of their storing. */
  readonly stored: string[] = [];
  phase: "connected" | "lost" | "dialling" = "connected";
  socketAlive = true;
  readonly #ids = new Map<string, number>();
  #wire: Written[] = [];
  #answers: { reply: string; data: string; code?: number }[] = [];
  #callback: (error: Error | null, message: NatsMessageLike) => void = () => undefined;
  #flushes: { resolve: () => void; reject: (reason: Error) => void }[] = [];
  #statuses: NatsStatusLike[] = [];
  #wake: () => void = () => undefined;

  publish(
    subject: string,
    payload: Uint8Array = new Uint8Array(0),
    options: { reply?: string; headers?: { encode(): Uint8Array } } = {},
  ): void {
    if (this.phase !== "connected" || !this.socketAlive) return;
    const id = /Nats-Msg-Id: (.*)\r\n/.exec(text.decode(options.headers!.encode()))![1]!;
    this.#wire.push({ subject, id, body: text.decode(payload), reply: options.reply! });
  }

  subscribe(_: string, options: { callback?: (error: Error | null, message: NatsMessageLike) => void } = {}) {
    this.#callback = options.callback!;
    this.listeners++;
    return { unsubscribe: () => void this.listeners--, drain: () => Promise.resolve() };
  }

  /** Subscriptions that stand. */
  listeners = 0;

  /** Bodies on their way and not stored. */
  onTheWay(): string[] {
    return this.#wire.map(({ body }) => body);
  }

  /** The server takes so many messages; with `refuse` no stream is there for them. */
  serve(count: number, refuse = false): void {
    if (!this.socketAlive) return;
    for (const { id, body, reply } of this.#wire.splice(0, count)) {
      if (refuse) {
        this.#answers.push({ reply, data: "", code: 503 });
        continue;
      }
      const before = this.#ids.get(id);
      if (before === undefined) this.stored.push(body);
      const seq = before ?? this.stored.length;
      this.#ids.set(id, seq);
      this.#answers.push({ reply, data: JSON.stringify({ stream: "S", seq, ...(before && { duplicate: true }) }) });
    }
  }

  /** The client gets so many answers. */
  answer(count: number): void {
    if (!this.socketAlive) return;
    for (const { reply, data, code } of this.#answers.splice(0, count)) {
      const headers = Object.assign(new Map<string, string[]>(), code === undefined ? {} : { code });
      this.#callback(null, { subject: reply, data: encoder.encode(data), headers });
    }
    for (const flush of this.#flushes.splice(0)) flush.resolve();
  }

  /** Answers are lost, and the socket lives. */
  loseAnswers(): void {
    this.#answers = [];
  }

  /** The socket dies: answers are lost, and the server reads so much more. */
  die(reads: number): void {
    this.serve(reads);
    this.socketAlive = false;
    this.#wire = [];
    this.#answers = [];
  }

  notice(): void {
    this.phase = "lost";
    this.#tell({ type: "disconnect" });
  }

  dial(): void {
    this.phase = "dialling";
    for (const flush of this.#flushes.splice(0)) flush.reject(new Error("disconnected"));
  }

  connect(): void {
    this.phase = "connected";
    this.socketAlive = true;
    this.#tell({ type: "reconnect" });
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => this.#flushes.push({ resolve, reject }));
  }

  async *status(): AsyncGenerator<NatsStatusLike> {
    for (;;) {
      const next = this.#statuses.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  request(): Promise<never> {
    return Promise.reject(new Error("not modelled"));
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

  #tell(status: NatsStatusLike): void {
    this.#statuses.push(status);
    this.#wake();
  }
}
