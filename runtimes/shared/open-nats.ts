import { type NatsLike, natsConnectDefaults, toConnectError } from "../../adapters/nats/index.ts";
import { abortable } from "../../core/abortable.ts";
import { systemClock } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { NatsOptions } from "./connect-options.ts";
import { type NatsAuthenticators, natsLogin } from "./nats-login.ts";

/** A connection that this package opened and has to close. */
export type OwnConnection = NatsLike & { close(): Promise<void> };

/** A NATS client library. */
export interface NatsVendor extends NatsAuthenticators {
  connect(options: Readonly<Record<string, unknown>>): Promise<OwnConnection>;
}

/**
 * Opens a connection with the guide's defaults. Keeps a deadline of its own: `wsconnect` can stay pending for ever.
 *
 * @param more Options in the client's own names.
 */
export async function openNats(
  vendor: NatsVendor,
  options: NatsOptions,
  schemes: RegExp,
  more: Readonly<Record<string, unknown>> = {},
): Promise<OwnConnection> {
  const { servers, name, reconnectWaitMs, heartbeatMs, connectTimeoutMs = 5000, credentials, signal } = options;
  const list = typeof servers === "string" ? servers.split(",").map((each) => each.trim()) : [...servers];
  for (const server of list) {
    if (/^[a-z]+:\/\//i.test(server) && !schemes.test(server)) {
      throw new EventError(
        "invalid-option",
        `nats.servers: this runtime connects to ${schemes.source}, not to that scheme`,
      );
    }
  }
  const connecting = vendor.connect({
    servers: list,
    ...natsConnectDefaults({ name, reconnectWaitMs, heartbeatMs, connectTimeoutMs }),
    ...natsLogin(vendor, credentials),
    ...more,
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
    return await abortable(Promise.race([connecting, late]), signal, abandon);
  } catch (error) {
    if (signal?.aborted) throw EventError.from(signal.reason, "aborted");
    throw toConnectError(error, list);
  } finally {
    clearTimeout(timer);
  }
}

/** Closes a connection. The client's close waits for a socket that may never answer; nobody has to wait for that. */
export function closeNats(connection: OwnConnection): Promise<void> {
  return withinDeadline(
    systemClock,
    1_000,
    connection.close().catch(() => undefined),
  );
}

/**
 * `peer-missing`, naming what to install. The import of an optional peer has to stand with its literal name inside a
 * `try`, where it is used: so bundlers, webpack among them, let it pass when the peer is not there.
 */
export function peerMissing(name: string, cause: unknown): EventError {
  return new EventError("peer-missing", `${name} is not installed: npm install ${name}`, { cause });
}
