/** What `publish` and `request` need of a headers object: the clients call nothing else. */
export interface NatsEncodable {
  /** The header block, from `NATS/1.0` to the empty line. */
  encode(): Uint8Array;
}

/** The headers of a received message: both clients hand out an iterable of name and values. */
export interface NatsHeadersLike extends Iterable<[string, string[]]> {
  /** The server's status code, where the message is one of the server's own. */
  readonly code?: number;
  readonly description?: string;
}

/** A received message, as `@nats-io/nats-core` and `nats.ws` hand it to a callback. */
export interface NatsMessageLike {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  /** Parsed by the client on first access, which throws for a name with illegal characters. */
  readonly headers?: NatsHeadersLike;
}

/** A subscription of the client. */
export interface NatsSubscriptionLike {
  unsubscribe(): void;
  /** Unsubscribes and hands out what is on its way; resolves when that is done. */
  drain(): Promise<void>;
}

/** What a subscription is made with. */
export interface NatsSubscribeOptionsLike {
  queue?: string;
  callback?: (error: Error | null, message: NatsMessageLike) => void;
}

/**
 * One item of `status()`. `@nats-io/nats-core` puts an `Error` into `error`, nats.ws a code into `data` and the
 * subject into `permissionContext`.
 */
export interface NatsStatusLike {
  readonly type: string;
  readonly error?: unknown;
  readonly data?: unknown;
  readonly permissionContext?: unknown;
}

/**
 * The part of a NATS connection the transport calls. Connections of `@nats-io/nats-core` (`wsconnect`),
 * `@nats-io/transport-node` and `nats.ws` 1.30 fit as they are.
 */
export interface NatsLike {
  /** What the server said about itself; a new object per connect, undefined while there is none. */
  readonly info?: { readonly max_payload?: number } | undefined;
  publish(subject: string, payload?: Uint8Array, options?: NatsPublishOptionsLike): void;
  subscribe(subject: string, options?: NatsSubscribeOptionsLike): NatsSubscriptionLike;
  request(subject: string, payload?: Uint8Array, options?: NatsRequestOptionsLike): Promise<NatsMessageLike>;
  /** Resolves on the PONG of a PING sent now; rejects when the client dials again first. */
  flush(): Promise<void>;
  status(): AsyncIterable<NatsStatusLike>;
  closed(): Promise<unknown>;
  isClosed(): boolean;
  close(): Promise<void>;
  /** Drops the socket and dials again. Where it is missing, stalled sockets heal by the client's own pings. */
  reconnect?(): Promise<void>;
}

/** Options of the client's `publish`. */
export interface NatsPublishOptionsLike {
  reply?: string;
  // `any`, because the clients declare their whole headers class here and call `encode` alone.
  // biome-ignore lint/suspicious/noExplicitAny: the vendor's class must be assignable without importing it
  headers?: any;
}

/** Options of the client's `request`. */
export interface NatsRequestOptionsLike extends NatsPublishOptionsLike {
  /** Milliseconds. */
  timeout: number;
}
