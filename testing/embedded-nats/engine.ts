import { EventError } from "../../core/errors.ts";
import { headBlock } from "./head-block.ts";
import { Session, type Subscription } from "./session.ts";
import { type Interest, SubjectTrie, validSubject } from "./subject-trie.ts";

/** Where a session writes to: a socket, a WebSocket, a test. */
export interface NatsPeer {
  /** One piece of output; pieces of one message may come in several calls. */
  write(part: Uint8Array): void;
  /** Closes after everything written so far. */
  close(): void;
}

/** Subjects a client may not use, as patterns with `*` and `>`. */
export interface NatsPermissions {
  /** Subjects no client may publish to. Default: none. */
  readonly denyPublish?: readonly string[] | undefined;
  /** Subjects and patterns no client may subscribe to. Default: none. */
  readonly denySubscribe?: readonly string[] | undefined;
}

/** Options of {@link NatsEngine}. */
export interface NatsEngineOptions {
  /** A token clients must send. Default: none. */
  readonly token?: string | undefined;
  /** A user clients must name, with `pass`. Default: none. */
  readonly user?: string | undefined;
  /** The password of `user`. */
  readonly pass?: string | undefined;
  /** Largest message, headers included. Default: 1,048,576. */
  readonly maxPayloadBytes?: number | undefined;
  /** What clients may not do. Default: everything is allowed. */
  readonly permissions?: NatsPermissions | undefined;
}

/** What goes with a message of {@link NatsEngine.publish}. */
export interface NatsPublishOptions {
  /** One value or several for each name. Default: a message without headers. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Subject for the answer. */
  readonly reply?: string | undefined;
}

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const NO_RESPONDERS = encoder.encode("NATS/1.0 503\r\n\r\n");

/**
 * Core NATS without sockets, timers or anything of a host: subjects, queue groups, headers, requests. Give every
 * client a session by {@link NatsEngine.connect} and feed it what the client sends. No JetStream, TLS or clustering.
 *
 * @example
 * ```ts
 * import { NatsEngine } from "waybill/testing";
 *
 * const engine = new NatsEngine();
 * const session = engine.connect({ write: (part) => console.log(new TextDecoder().decode(part)), close() {} });
 * session.feed(new TextEncoder().encode("CONNECT {}\r\nPING\r\n"));
 * ```
 */
export class NatsEngine {
  /** Largest message, headers included. */
  readonly maxPayloadBytes: number;
  readonly #options: NatsEngineOptions;
  readonly #interests = new SubjectTrie<Subscription>();
  readonly #denied: { publish: SubjectTrie<Pattern>; subscribe: readonly string[] };
  readonly #sessions = new Set<Session>();
  #ids = 0;

  constructor(options: NatsEngineOptions = {}) {
    this.#options = options;
    this.maxPayloadBytes = options.maxPayloadBytes ?? 1_048_576;
    const publish = new SubjectTrie<Pattern>();
    for (const subject of options.permissions?.denyPublish ?? []) publish.add({ subject, queue: "" });
    this.#denied = { publish, subscribe: options.permissions?.denySubscribe ?? [] };
  }

  /** Begins a session and greets the client. */
  connect(peer: NatsPeer): Session {
    const session: Session = new Session(this, peer);
    this.#sessions.add(session);
    const info = {
      server_id: "EMBEDDED",
      server_name: "embedded",
      // Clients read their feature set from it: it has to be a version of nats-server.
      version: "2.10.0",
      proto: 1,
      headers: true,
      max_payload: this.maxPayloadBytes,
      client_id: ++this.#ids,
      ...(this.#guarded ? { auth_required: true } : {}),
    };
    session.line(`INFO ${JSON.stringify(info)}`);
    return session;
  }

  /** Clients that are connected. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** What clients are subscribed to at the moment, in no particular order. */
  get subscriptions(): readonly Interest[] {
    return [...this.#sessions].flatMap((session) =>
      session.subscriptions.map(({ subject, queue }) => ({ subject, queue })),
    );
  }

  /**
   * Sends a message that comes from no client, and tells how many subscriptions got it.
   *
   * @throws EventError `invalid-destination`, `invalid-header` or `too-large`.
   */
  publish(
    subject: string,
    data: string | Uint8Array = EMPTY,
    { headers, reply = "" }: NatsPublishOptions = {},
  ): number {
    for (const name of reply === "" ? [subject] : [subject, reply]) {
      if (!validSubject(name, false)) throw new EventError("invalid-destination", `embedded NATS: no subject: ${name}`);
    }
    const head = headers === undefined ? undefined : headBlock(headers);
    const body = typeof data === "string" ? encoder.encode(data) : data.slice();
    if ((head?.length ?? 0) + body.length > this.maxPayloadBytes) {
      throw new EventError("too-large", `embedded NATS: a message is larger than ${this.maxPayloadBytes} bytes`);
    }
    return this.#hand(undefined, subject, reply, head, body);
  }

  /** Ends every session. */
  disconnectAll(): void {
    for (const session of [...this.#sessions]) session.end();
  }

  /** Whether a CONNECT may come in. */
  admits(connect: Readonly<Record<string, unknown>>): boolean {
    const { token, user, pass } = this.#options;
    if (token !== undefined && connect.auth_token !== token) return false;
    return user === undefined || (connect.user === user && connect.pass === pass);
  }

  /** Whether a client may publish to a subject. */
  mayPublish(subject: string): boolean {
    return this.#denied.publish.match(subject).plain.length === 0;
  }

  /** Whether a client may subscribe to a subject or pattern. */
  maySubscribe(subject: string): boolean {
    return !this.#denied.subscribe.some((pattern) => pattern === subject || covers(pattern, subject));
  }

  /** Takes in a subscription of a session. */
  add(subscription: Subscription): void {
    this.#interests.add(subscription);
  }

  /** Forgets a subscription of a session. */
  remove(subscription: Subscription): void {
    this.#interests.remove(subscription);
  }

  /** Forgets a session. */
  leave(session: Session): void {
    this.#sessions.delete(session);
  }

  /** Hands a client's message to everyone interested; tells the sender of a request when nobody is. */
  route(from: Session, subject: string, reply: string, head: Uint8Array | undefined, body: Uint8Array): void {
    if (this.#hand(from, subject, reply, head, body) > 0 || reply === "" || !from.noResponders) return;
    for (const to of this.#interests.match(reply).plain) {
      if (to.session === from) from.deliver(to, reply, "", NO_RESPONDERS, EMPTY);
    }
  }

  /** Returns how many subscriptions got the message. */
  #hand(
    from: Session | undefined,
    subject: string,
    reply: string,
    head: Uint8Array | undefined,
    body: Uint8Array,
  ): number {
    const wants = ({ session }: Subscription): boolean => session !== from || session.echo;
    const { plain, groups } = this.#interests.match(subject);
    let delivered = 0;
    const hand = (to: Subscription): void => {
      to.session.deliver(to, subject, reply, head, body);
      delivered++;
    };
    for (const to of plain) if (wants(to)) hand(to);
    for (const members of groups) {
      const usable = members.every(wants) ? members : members.filter(wants);
      const chosen = usable[Math.floor(Math.random() * usable.length)];
      if (chosen !== undefined) hand(chosen);
    }
    return delivered;
  }

  get #guarded(): boolean {
    return this.#options.token !== undefined || this.#options.user !== undefined;
  }
}

interface Pattern {
  readonly subject: string;
  readonly queue: "";
}

function covers(pattern: string, subject: string): boolean {
  const trie = new SubjectTrie<Pattern>();
  trie.add({ subject: pattern, queue: "" });
  return trie.match(subject).plain.length > 0;
}
