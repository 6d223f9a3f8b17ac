import { EventError } from "../../core/errors.ts";

/** What {@link natsConnectDefaults} takes. */
export interface NatsConnectSettings {
  /** The client's name at the server. Default: `"waybill"`. */
  readonly name?: string | undefined;
  /** Milliseconds between attempts to reconnect. Default: 2,000. */
  readonly reconnectWaitMs?: number | undefined;
  /** Milliseconds between pings; two unanswered ones replace the socket. Default: 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds one attempt to connect may take. Default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
}

/** Options for `connect` and `wsconnect` of nats.js and for `connect` of nats.ws, in their own names. */
export interface NatsConnectOptions {
  /** The client's name at the server. */
  readonly name: string;
  /** -1: there is no end to them. */
  readonly maxReconnectAttempts: number;
  /** Milliseconds between attempts to reconnect. */
  readonly reconnectTimeWait: number;
  /** Most milliseconds that chance adds to the wait: a tenth of it. */
  readonly reconnectJitter: number;
  /** As `reconnectJitter`, for connections with TLS. */
  readonly reconnectJitterTLS: number;
  /** Milliseconds. */
  readonly pingInterval: number;
  /** Unanswered pings after which the socket is replaced: 2. */
  readonly maxPingOut: number;
  /** Milliseconds one attempt to connect may take. */
  readonly timeout: number;
  /** true: refused credentials do not end the attempts to reconnect. */
  readonly ignoreAuthErrorAbort: boolean;
}

/**
 * The client's options for a connection that is meant to last: reconnect for ever, every 2 s, notice a dead socket
 * within three heartbeats. The client's own defaults give up after 10 attempts and ping every 2 minutes.
 *
 * @example
 * ```ts
 * import { wsconnect } from "@nats-io/nats-core";
 * import { natsConnectDefaults } from "waybill/nats";
 *
 * const connection = await wsconnect({ servers: "wss://events.example.com", ...natsConnectDefaults() });
 * ```
 */
export function natsConnectDefaults(settings: NatsConnectSettings = {}): NatsConnectOptions {
  const { name = "waybill", reconnectWaitMs = 2_000, heartbeatMs = 10_000, connectTimeoutMs = 5_000 } = settings;
  // Spread over a tenth of the wait, so that the clients of a restarted server do not come back as one.
  const jitterMs = Math.ceil(reconnectWaitMs / 10);
  return {
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectWaitMs,
    reconnectJitter: jitterMs,
    reconnectJitterTLS: jitterMs,
    pingInterval: heartbeatMs,
    maxPingOut: 2,
    timeout: connectTimeoutMs,
    // Credentials may be refused while they are rotated: keep trying.
    ignoreAuthErrorAbort: true,
  };
}

/**
 * Maps a failed connect: `unauthorized` for refused credentials, otherwise `unreachable`, which is retryable. The
 * message names the servers without user, password, token or query; the client's error is the `cause`.
 *
 * @param error What `connect` rejected with.
 * @param servers What was tried.
 */
export function toConnectError(error: unknown, servers: string | readonly string[]): EventError {
  const list = (typeof servers === "string" ? [servers] : servers).map(withoutSecrets).join(", ");
  const { code, message, name } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  if (/authorization|authentication/i.test(`${name} ${code} ${message}`)) {
    return new EventError("unauthorized", `nats: ${list} refused the credentials`, { cause: error });
  }
  return new EventError("unreachable", `nats: cannot reach ${list}`, { cause: error, retryable: true });
}

function withoutSecrets(server: string): string {
  const scheme = /^[a-z]+:\/\//i.exec(server)?.[0] ?? "";
  const rest = server.slice(scheme.length).replace(/[/?#].*$/s, "");
  // Everything before the last @ of the authority is user info, passwords with an @ included.
  return scheme + rest.slice(rest.lastIndexOf("@") + 1);
}
