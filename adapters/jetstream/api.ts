import { EventError } from "../../core/errors.ts";
import { type Meaning, natsError } from "../nats/errors.ts";
import type { Link } from "../nats/link.ts";
import type { NatsEncodable, NatsLike } from "../nats/nats-like.ts";
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
   * Sends `body` as JSON and answers what came back, an `error` in it included. While the connection is down it waits;
   * what was asked when it broke is asked again, since every request of the API can bear that.
   * Rejects with `unreachable` where JetStream does not answer, `timeout`, `denied` or `closed`.
   */
  request<T>(subject: string, body?: unknown): Promise<T & { readonly error?: ApiError }>;
  /** The same for any subject; `sends` hears of each time that it goes out. */
  exchange<T>(
    subject: string,
    payload: Uint8Array,
    headers?: NatsEncodable,
    sends?: () => void,
  ): Promise<T & { readonly error?: ApiError }>;
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
  const api: Api = {
    prefix,
    request: (subject, body) =>
      api.exchange(prefix + subject, encoder.encode(body === undefined ? "" : JSON.stringify(body))),
    async exchange(subject, payload, headers, sends) {
      for (;;) {
        if (!(await whenConnected(link))) throw new EventError("closed", "jetstream: the transport is closed");
        const broken = nextBreak(link);
        try {
          sends?.();
          const asking = connection.request(subject, payload, { timeout: timeoutMs, headers });
          const answer = await Promise.race([asking, broken.seen]);
          if (answer) return JSON.parse(decoder.decode(answer.data));
          asking.catch(() => undefined); // its answer went with the socket
        } catch (reason) {
          throw natsError(reason, `jetstream ${subject}`, meanings);
        } finally {
          broken.forget();
        }
      }
    },
  };
  return api;
}

/** Resolves when the connection breaks or closes. */
function nextBreak(link: Link): { readonly seen: Promise<undefined>; forget(): void } {
  let forget: () => void = () => undefined;
  const seen = new Promise<undefined>((resolve) => {
    forget = link.listen(() => link.state !== "connected" && resolve(undefined));
  });
  return { seen, forget };
}

/** The error of an answer, in the words of {@link EventError}. */
export function apiError(what: string, { code, err_code, description }: ApiError): EventError {
  const text = `jetstream: ${what}: ${description} (err_code ${err_code})`;
  return new EventError("transport-failed", text, { retryable: code === 503 || code === 429 });
}
