import { type Clock, systemClock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { Capabilities, Transport } from "../../core/transport.ts";
import { closeTransport } from "./close.ts";
import { startConsumer } from "./consume.ts";
import { entryOf } from "./entry-ring.ts";
import { headerBlock } from "./header-block.ts";
import { incomingMessage } from "./incoming.ts";
import { Link } from "./link.ts";
import { bufferLimits, holdLimits, type NatsTransportOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { notStored, PublishCall } from "./publish-call.ts";
import { natsRequest } from "./request.ts";
import { createSlab, type EncodedMessage } from "./slab.ts";
import { isToken, shown } from "./subject.ts";
import type { NatsConsumer } from "./subscription.ts";

/** What a nats-server takes unless configured otherwise. */
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;

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
  const { connection, replyPrefixes = ["_INBOX."], closeConnection = false, name = "nats" } = options;
  const clock: Clock = options.clock ?? systemClock;
  const holds = holdLimits(options.hold);
  const slab = createSlab();
  const consumers = new Set<NatsConsumer>();
  const outbox = new Outbox(connection, bufferLimits(options.buffer), clock);
  const link = new Link(connection, {
    up: () => outbox.up(),
    down: () => outbox.down(),
    closed: (reason) => void outbox.dispose(reason),
    denied: (denial) => outbox.refuse(denial),
  });
  outbox.attach(link);
  let closing = false;

  let maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES;
  const maxMessageBytes = (): number => {
    // The client forgets the server's word while it dials; the last one known holds meanwhile.
    maxPayloadBytes = connection.info?.max_payload ?? maxPayloadBytes;
    return maxPayloadBytes;
  };
  const capabilities: Capabilities = {
    system: "nats",
    binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
    durable: false,
    redelivery: false,
    delayedRedelivery: false,
    keyOrder: false,
    groups: true,
    replay: false,
    request: true,
    deduplication: false,
    wildcards: true,
    get maxMessageBytes() {
      return maxMessageBytes();
    },
  };

  /** Throws for what could never be sent. */
  const encode = (message: OutgoingMessage): EncodedMessage => {
    if (closing || link.state === "closed") throw new EventError("closed", "nats: the transport is closed");
    const { destination } = message;
    if (!isToken(destination)) {
      throw new EventError("invalid-destination", `nats: not a subject: ${shown(destination)}`);
    }
    const encoded = slab.encode(headerBlock(message.headers), message.body);
    const bytes = (encoded.head?.length ?? 0) + encoded.body.length;
    const bound = maxMessageBytes();
    if (bytes <= bound) return encoded;
    throw new EventError("too-large", `nats: ${bytes} bytes to ${destination}, the server takes ${bound}`);
  };

  return {
    name,
    capabilities,

    publish(messages, { signal } = {}) {
      if (messages.length === 0) return Promise.resolve([]);
      return new Promise((resolve) => {
        const call = new PublishCall(messages.length, resolve);
        if (signal !== undefined) abortable(call, signal, outbox);
        messages.forEach((message, index) => {
          try {
            if (signal?.aborted) throw new EventError("aborted", "nats: publish was aborted", { cause: signal.reason });
            const entry = entryOf(message.destination, encode(message), outbox.nowMs(), call, index);
            call.entries?.push(entry);
            if (outbox.accept(entry)) return;
            throw new EventError("buffer-full", "nats: too much waits for a confirmation", { retryable: true });
          } catch (reason) {
            call.settle(index, notStored(EventError.from(reason), "failed"));
          }
        });
      });
    },

    post(message) {
      return outbox.accept(entryOf(message.destination, encode(message), outbox.nowMs(), undefined, 0));
    },

    consume: (source, sink) => startConsumer({ connection, link, holds, replyPrefixes, consumers }, source, sink),

    async request(message, requestOptions) {
      const answer = await natsRequest(
        { connection, link, clock },
        message.destination,
        encode(message),
        requestOptions,
      );
      return incomingMessage(answer, replyPrefixes);
    },

    health: () => ({ state: closing ? "closed" : link.state, buffered: outbox.events, bufferedBytes: outbox.bytes }),
    onStatus: (listener) => link.listen(listener),

    flush: ({ signal } = {}) =>
      new Promise((resolve, reject) => {
        const abort = (): void => {
          leave();
          reject(new EventError("aborted", "nats: flush was aborted", { cause: signal?.reason }));
        };
        const leave = outbox.whenSettled(() => {
          signal?.removeEventListener("abort", abort);
          resolve();
        });
        if (signal?.aborted) abort();
        else signal?.addEventListener("abort", abort, { once: true });
      }),

    close({ deadlineMs = 10_000 } = {}) {
      closing = true;
      return closeTransport({ connection, link, outbox, consumers, clock, closeConnection }, deadlineMs);
    },
  };
}

function abortable(call: PublishCall, signal: AbortSignal, outbox: Outbox): void {
  call.entries = [];
  const abort = (): void => {
    for (const entry of call.entries ?? []) {
      outbox.abandon(entry, new EventError("aborted", "nats: publish was aborted", { cause: signal.reason }));
    }
  };
  signal.addEventListener("abort", abort, { once: true });
  call.onSettled = () => signal.removeEventListener("abort", abort);
}
