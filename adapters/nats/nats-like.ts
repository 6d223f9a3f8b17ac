/** What `publish` and `request` need of a headers object: the clients call nothing else. */
export interface NatsEncodable {
  /** The header block, from `NATS/1.0` to the empty line. */
  encode(): Uint8Array;
}

/** The headers of a received message: both clients hand out an iterable of name and values. */
export interface NatsHeadersLike extends Iterable<[string, string[]]> {
  /** The server's status code, where the message is one of the server's own. */
  readonly code?: number;
  /** The server's own words for `code`; empty or undefined without one. */
  readonly description?: string;
}

/** A received message, as `@nats-io/nats-core` and `nats.ws` hand it to a callback. */
export interface NatsMessageLike {
  /** To which it was published, without wildcards. */
  readonly subject: string;
  /** The body; empty when there is none. */
  readonly data: Uint8Array;
  /** Where an answer or an acknowledgement goes. Undefined or empty: nobody waits for one. */
  readonly reply?: string;
  /** Parsed by the client on first access, which throws for a name with illegal characters. */
  readonly headers?: NatsHeadersLike;
}

/** A subscription of the client. */
export interface NatsSubscriptionLike {
  /** Ends it at once; messages on their way are dropped. */
  unsubscribe(): void;
  /** Unsubscribes and hands out what is on its way; resolves when that is done. */
  drain(): Promise<void>;
}

/** What a subscription is made with. */
export interface NatsSubscribeOptionsLike {
  /** Subscriptions with the same name share the messages. Undefined: this one gets all. */
  queue?: string;
  /** Called for each message, and with an error when the server refuses the subscription. */
  callback?: (error: Error | null, message: NatsMessageLike) => void;
}

/**
 * One item of `status()`. `@nats-io/nats-core` puts an `Error` into `error`, nats.ws a code into `data` and the
 * subject into `permissionContext`.
 */
export interface NatsStatusLike {
  /** Such as `disconnect`, `reconnecting`, `reconnect`, `staleConnection` or `error`. Others are ignored. */
  readonly type: string;
  /** Of an `error`: what went wrong. Undefined with nats.ws. */
  readonly error?: unknown;
  /** What the type of item calls for, such as a server's address or a code. */
  readonly data?: unknown;
  /** Of a refused permission, with nats.ws: the operation and its subject. */
  readonly permissionContext?: unknown;
}

/**
 * The part of a NATS connection the transport calls. Connections of `@nats-io/nats-core` (`wsconnect`),
 * `@nats-io/transport-node` and `nats.ws` 1.30 fit as they are.
 */
export interface NatsLike {
  /** What the server said about itself; a new object per connect, undefined while there is none. */
  readonly info?: { readonly max_payload?: number } | undefined;
  /** Takes the message into the client's buffer. Throws when the connection is closed. */
  publish(subject: string, payload?: Uint8Array, options?: NatsPublishOptionsLike): void;
  /** Subscribes without waiting: {@link flush} tells when the server has it. */
  subscribe(subject: string, options?: NatsSubscribeOptionsLike): NatsSubscriptionLike;
  /** Publishes with a reply subject of the client's own; rejects when nobody listens or the time is over. */
  request(subject: string, payload?: Uint8Array, options?: NatsRequestOptionsLike): Promise<NatsMessageLike>;
  /** Resolves on the PONG of a PING sent now; rejects when the client dials again first. */
  flush(): Promise<void>;
  /** What happens to the connection from now on, until it is closed. */
  status(): AsyncIterable<NatsStatusLike>;
  /** Resolves at the end of the connection, with an error when nobody asked for it. */
  closed(): Promise<unknown>;
  /** Whether the connection is closed for good; false while the client tries to reconnect. */
  isClosed(): boolean;
  /** Ends the connection for good. A transport leaves that to whoever opened it. */
  close(): Promise<void>;
  /** Drops the socket and dials again. Where it is missing, stalled sockets heal by the client's own pings. */
  reconnect?(): Promise<void>;
}

/** Options of the client's `publish`. */
export interface NatsPublishOptionsLike {
  /** Where an answer is to go. Undefined: none is expected. */
  reply?: string;
  /** What encodes the header block. Undefined: the message has none. */
  // `any`, because the clients declare their whole headers class here and call `encode` alone.
  // biome-ignore lint/suspicious/noExplicitAny: the vendor's class must be assignable without importing it
  headers?: any;
}

/** Options of the client's `request`. */
export interface NatsRequestOptionsLike extends NatsPublishOptionsLike {
  /** Milliseconds. */
  timeout: number;
}
