import { type NatsLike, natsConnectDefaults, natsTransport, toConnectError } from "../../adapters/nats/index.ts";
import { abortable } from "../../core/abortable.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import type { NatsOptions } from "./connect-options.ts";

/** `connect` or `wsconnect` of a client. */
export type NatsConnect = (options: Record<string, unknown>) => Promise<NatsLike & { close(): Promise<void> }>;

/**
 * Opens a connection with the guide's defaults and makes the transport that owns it. Keeps a deadline of its
 * own: `wsconnect` can stay pending for ever.
 */
export async function openNats(connect: NatsConnect, options: NatsOptions, schemes: RegExp): Promise<Transport> {
  const { servers, name, reconnectWaitMs, heartbeatMs, connectTimeoutMs = 5000, credentials, signal } = options;
  const list = typeof servers === "string" ? [servers] : [...servers];
  for (const server of list) {
    if (/^[a-z]+:\/\//i.test(server) && !schemes.test(server)) {
      throw new EventError(
        "invalid-option",
        `nats.servers: this runtime connects to ${schemes.source}, not to that scheme`,
      );
    }
  }
  const connecting = connect({
    servers: list,
    ...natsConnectDefaults({ name, reconnectWaitMs, heartbeatMs, connectTimeoutMs }),
    ...login(credentials),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Given up, it is closed again as soon as it stands.
  const abandon = (): void => void connecting.then((connection) => connection.close()).catch(() => undefined);
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no connection within ${connectTimeoutMs} ms`));
      abandon();
    }, connectTimeoutMs + 250); // a little longer than the client's own, whose error says more
  });
  try {
    const connection = await abortable(Promise.race([connecting, late]), signal, abandon);
    return natsTransport({ connection, closeConnection: true });
  } catch (error) {
    if (signal?.aborted) throw EventError.from(signal.reason, "aborted");
    throw toConnectError(error, list);
  } finally {
    clearTimeout(timer);
  }
}

function login(credentials: NatsOptions["credentials"]): Record<string, string> {
  if (!credentials) return {};
  return "token" in credentials ? { token: credentials.token } : { user: credentials.user, pass: credentials.password };
}

/**
 * For `.catch` of the import of an optional peer: `peer-missing` names what to install. The import has to stand with
 * its literal name and its `.catch` where it is used, so that bundlers let it pass when the peer is not there.
 */
export function peerMissing(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new EventError("peer-missing", `${name} is not installed: npm install ${name}`, { cause });
  };
}
