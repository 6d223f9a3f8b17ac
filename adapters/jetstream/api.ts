import { EventError } from "../../core/errors.ts";
import { type Meaning, natsError } from "../nats/errors.ts";
import type { Link } from "../nats/link.ts";
import type { NatsLike } from "../nats/nats-like.ts";
import { whenConnected } from "../nats/when-connected.ts";

/** An error that the JetStream API answered. */
export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

/** Asks the JetStream API. */
export interface Api {
  /** What stands before every subject of the API. */
  readonly prefix: string;
  /**
   * Sends `body` as JSON and answers what came back, an `error` in it included. While the connection is down it waits.
   * Rejects with `unreachable` where JetStream does not answer, `timeout`, `denied` or `closed`.
   */
  request<T>(subject: string, body?: unknown): Promise<T & { readonly error?: ApiError }>;
}

const meanings: readonly Meaning[] = [
  ["unreachable", /no ?responders|\b503\b/i, true],
  ["timeout", /(?<!authentication )timeout/i, true],
];
const timeoutMs = 5_000;

/** Makes the API of a connection, within a JetStream domain where one is given. */
export function createApi(connection: NatsLike, link: Link, domain: string | undefined): Api {
  const prefix = domain === undefined ? "$JS.API." : `$JS.${domain}.API.`;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  return {
    prefix,
    async request(subject, body) {
      if (!(await whenConnected(link))) throw new EventError("closed", "jetstream: the transport is closed");
      try {
        const payload = encoder.encode(body === undefined ? "" : JSON.stringify(body));
        const { data } = await connection.request(prefix + subject, payload, { timeout: timeoutMs });
        return JSON.parse(decoder.decode(data));
      } catch (reason) {
        throw natsError(reason, `jetstream ${subject}`, meanings);
      }
    },
  };
}

/** The error of an answer, in the words of {@link EventError}. */
export function apiError(what: string, { code, err_code, description }: ApiError): EventError {
  const text = `jetstream: ${what}: ${description} (err_code ${err_code})`;
  return new EventError("transport-failed", text, { retryable: code === 503 || code === 429 });
}
