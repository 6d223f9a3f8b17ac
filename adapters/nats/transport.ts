import { systemClock } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import { onDemand } from "../../core/on-demand.ts";
import { sumReports } from "../../core/report.ts";
import { checkDestination } from "../../core/routing.ts";
import type { Capabilities, Transport } from "../../core/transport.ts";
import { createEncoder, type Encoder } from "./encoder.ts";
import { closedError, natsError } from "./errors.ts";
import { createLink } from "./link.ts";
import { onAbort } from "./on-abort.ts";
import { limits, type NatsTransportOptions } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import { publishAll } from "./publish.ts";
import type { ReceiveContext } from "./receive-context.ts";

/**
 * Binds Waybill to an open NATS connection (core NATS, at most once for consumers).
 *
 * `publish` resolves on the server's PONG, so `stored: true` means the server took it and no permission was missing.
 * Whatever is accepted waits in a bounded buffer until then, and is sent again after an outage: duplicates are
 * possible for what was unconfirmed at that moment, never more. `post` does the same without a promise and throws
 * (`invalid-header`, `invalid-destination`, `too-large`, `closed`) for a message that could never be sent.
 *
 * A consumer without credit holds what arrives up to `hold`; beyond that the newest messages are dropped and
 * reported once per episode, since core NATS cannot slow a publisher down. A request made while the connection is
 * down waits for it until its own deadline.
 *
 * A socket that does not answer for `buffer.stallMs` while something waits is replaced through `reconnect()` of the
 * client. With `wsconnect` give the connection a socket made by `promptClose`, or the client waits for the peer's
 * close handshake first (30 s in Node, 60 s in Chromium).
 *
 * Throws `EventError` `invalid-option` for a bound that is not a whole number above 0.
 *
 * @example
 * ```ts
 * import { wsconnect } from "@nats-io/nats-core";
 * import { createEventBus } from "waybill";
 * import { natsTransport } from "waybill/nats";
 *
 * const connection = await wsconnect({ servers: "wss://events.example.com", maxReconnectAttempts: -1 });
 * const bus = createEventBus({ source: "/shop/web", transports: { nats: natsTransport({ connection }) } });
 * ```
 */
export function natsTransport(options: NatsTransportOptions): Transport {
  const { connection, clock = systemClock } = options;
  const holds = limits("nats: hold", options.hold, { maxMessages: 65_536, maxBytes: 67_108_864 });
  const bounds = limits("nats: buffer", options.buffer, {
    maxEvents: 65_536,
    maxBytes: 67_108_864,
    maxAgeMs: 60_000,
    stallMs: 5_000,
  });
  const link = createLink(connection, (subject, error) => outbox.refuse(subject, error));
  const outbox = createOutbox(connection, link, clock, bounds);
  const receiving: ReceiveContext = {
    options,
    link,
    clock,
    holds,
    EventError,
    natsError,
    consumers: new Set(),
  };
  const bytesOf = createEncoder();
  let closing = false;
  // The last one that passed: comparing is cheaper than testing.
  let lastSubject = "";
  // What a nats-server takes unless configured otherwise.
  let maxMessageBytes = 1_048_576;

  const capabilities: Capabilities = {
    system: "nats",
    binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
    groups: true,
    request: true,
    wildcards: true,
    get maxMessageBytes() {
      // The client forgets the server's word while it dials; the last one known holds meanwhile.
      maxMessageBytes = connection.info?.max_payload ?? maxMessageBytes;
      return maxMessageBytes;
    },
  };

  const checkOpen = (): void => {
    if (closing || link.state === "closed") throw closedError();
  };

  /** Throws for what could never be sent. */
  const encode: Encoder = (message, settled) => {
    checkOpen();
    if (message.destination !== lastSubject) {
      checkDestination(message.destination);
      lastSubject = message.destination;
    }
    const entry = bytesOf(message, settled);
    const most = capabilities.maxMessageBytes;
    if (entry.bytes <= most) return entry;
    throw new EventError("too-large", `nats: ${entry.bytes} bytes, the server takes ${most}`);
  };

  /** What receives. A page that is offline may be unable to load it. */
  const { load } = onDemand(() => import("./receiving.ts"));

  return {
    name: options.name ?? "nats",
    capabilities,

    publish: (messages, { signal } = {}) => publishAll(outbox, encode, messages, signal),
    post: (message) => outbox.accept(encode(message)),

    async consume(source, sink) {
      const { startConsumer } = await load();
      checkOpen();
      return startConsumer(receiving, source, sink);
    },

    async request(message, { timeoutMs, signal }) {
      const deadlineMs = clock.now() + timeoutMs;
      const entry = encode(message);
      const { natsRequest } = await load();
      return natsRequest(receiving, entry, { timeoutMs, deadlineMs, signal });
    },

    health: () => ({ state: closing ? "closed" : link.state, ...outbox.size() }),
    onStatus: link.listen,

    flush: ({ signal } = {}) =>
      new Promise((resolve, reject) => {
        const leave = onAbort(signal, reject);
        void outbox.settled().then(() => {
          leave();
          resolve();
        });
      }),

    /** Reports exactly what is left. `drain()` of the client would not do: while disconnected it rejects. */
    async close({ deadlineMs = 10_000 } = {}) {
      closing = true;
      const leaving = Promise.all(Array.from(receiving.consumers, (each) => each.close({ deadlineMs })));
      await withinDeadline(clock, deadlineMs, outbox.settled());
      const { buffered: unsent } = outbox.size();
      const report = sumReports([{ unsent, unsettled: 0 }, ...(await leaving)]);
      link.close();
      return report;
    },
  };
}
