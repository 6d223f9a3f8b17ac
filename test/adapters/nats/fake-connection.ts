import type {
  NatsLike,
  NatsStatusLike,
  NatsSubscribeOptionsLike,
  NatsSubscriptionLike,
} from "../../../adapters/nats/index.ts";

type Outbound =
  | { readonly kind: "message"; readonly body: string }
  | { readonly kind: "ping"; readonly pong: () => void; readonly reject: (reason: Error) => void };

/**
 * A model of nats-core's outgoing side, step by step: what it holds is dropped and its PINGs are rejected whenever it
 * dials, also the time that succeeds, and a socket may be dead for long before the client notices.
 */
export class FakeConnection implements NatsLike {
  info: { max_payload: number } | undefined = { max_payload: 1_000 };
  /** What the server has, in order, repeats included. */
  readonly stored: string[] = [];
  phase: "connected" | "lost" | "dialling" = "connected";
  socketAlive = true;
  flushes = 0;
  #outbound: Outbound[] = [];
  #wire: Outbound[] = [];
  #pings: Outbound[] = [];
  #statuses: NatsStatusLike[] = [];
  #wake: () => void = () => undefined;

  publish(_subject: string, payload: Uint8Array = new Uint8Array(0)): void {
    this.#outbound.push({ kind: "message", body: new TextDecoder().decode(payload) });
    queueMicrotask(() => this.#send());
  }

  flush(): Promise<void> {
    this.flushes++;
    return new Promise((resolve, reject) => {
      const ping: Outbound = { kind: "ping", pong: resolve, reject };
      this.#pings.push(ping);
      this.#outbound.push(ping);
      this.#send();
    });
  }

  async *status(): AsyncGenerator<NatsStatusLike> {
    for (;;) {
      const next = this.#statuses.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The server reads up to `count` pieces and answers the PINGs among them. */
  serve(count: number): void {
    if (!this.socketAlive) return;
    for (const piece of this.#wire.splice(0, count)) {
      if (piece.kind === "message") {
        this.stored.push(piece.body);
      } else {
        this.#pings = this.#pings.filter((ping) => ping !== piece);
        piece.pong();
      }
    }
  }

  /** The socket dies. With `reads` the server still gets so many pieces, and none of its answers comes back. */
  die(reads: number): void {
    this.socketAlive = false;
    for (const piece of this.#wire.splice(0, reads)) if (piece.kind === "message") this.stored.push(piece.body);
    this.#wire = [];
  }

  /** The client finds out. */
  notice(): void {
    this.phase = "lost";
    this.#tell({ type: "disconnect" });
  }

  /** The client dials. */
  dial(): void {
    this.phase = "dialling";
    this.info = undefined;
    this.#outbound = [];
    for (const ping of this.#pings.splice(0)) if (ping.kind === "ping") ping.reject(new Error("disconnected"));
    this.#tell({ type: "reconnecting" });
  }

  /** The dial succeeds. */
  connect(): void {
    this.phase = "connected";
    this.info = { max_payload: 1_000 };
    this.socketAlive = true;
    this.#send();
    this.#tell({ type: "reconnect" });
  }

  subscribe(_subject: string, _options?: NatsSubscribeOptionsLike): NatsSubscriptionLike {
    throw new Error("not modelled");
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

  #send(): void {
    if (this.phase !== "connected") return;
    const pieces = this.#outbound.splice(0);
    if (this.socketAlive) this.#wire.push(...pieces);
  }

  #tell(status: NatsStatusLike): void {
    this.#statuses.push(status);
    this.#wake();
  }
}
