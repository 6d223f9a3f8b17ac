import { systemClock } from "../../core/clock.ts";
import { withinDeadline } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import { defaultIds } from "../../core/id.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import { sumReports } from "../../core/report.ts";
import { checkDestination } from "../../core/routing.ts";
import { sleep } from "../../core/sleep.ts";
import type { Capabilities, PublishOutcome, Transport } from "../../core/transport.ts";
import { createEncoder } from "../nats/encoder.ts";
import { closedError } from "../nats/errors.ts";
import { createLink } from "../nats/link.ts";
import { onAbort } from "../nats/on-abort.ts";
import { publishAll } from "../nats/publish.ts";
import { createApi } from "./api.ts";
import { createLiveness } from "./liveness.ts";
import type { JetStreamTransportOptions } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import { createPartitions } from "./partitions.ts";
import type { Pending } from "./pending.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { jetstreamSettings } from "./settings.ts";

/** Pause before streams that no server could provide are asked for again. */
const ensurePauseMs = 500;

/**
 * Binds Waybill to JetStream over an open NATS connection: stored by the server, at least once for consumers.
 *
 * `publish` resolves on JetStream's own answer, and the receipt names the sequence in the stream. Whatever is accepted
 * waits in a bounded buffer until then, and is sent again with the same `Nats-Msg-Id` after an outage: within the
 * stream's duplicate window it is stored once. `post` does the same without a promise and throws (`invalid-header`,
 * `invalid-destination`, `too-large`, `closed`) for a message that could never be sent. Of the events of a key one at a
 * time is on its way, so that they are stored in order; events without a key are pipelined.
 *
 * A group is a durable consumer. What is settled is confirmed by the server that this client is connected to. Order
 * per key needs a stream with `partitions`.
 *
 * Dead letters of a stream go to one of its own, `<STREAM>_DLQ`: those of the subject `order.*` to `order.*.dlq`, those of
 * `order.>`, which would take these itself, to `dlq.order.>`. It is made when first needed, and extended when the stream
 * got new subjects. From then on what the server gives up by itself, after `max_deliver` deliveries or because somebody
 * terminated it, comes to the group once more as given up: `<STREAM>_GIVEN_UP` keeps the server's word for it meanwhile.
 * States are buckets of NATS KV.
 *
 * Throws `EventError` `invalid-option`, naming the option.
 *
 * @example
 * ```ts
 * import { connect } from "@nats-io/transport-node";
 * import { createEventBus } from "waybill";
 * import { jetstreamTransport } from "waybill/jetstream";
 * import { natsConnectDefaults } from "waybill/nats";
 *
 * const connection = await connect({ servers: "nats://127.0.0.1:4222", ...natsConnectDefaults() });
 * const jetstream = jetstreamTransport({ connection, streams: [{ name: "ORDERS", subjects: ["order.>"] }] });
 * const bus = createEventBus({ source: "/shop", transports: { jetstream } });
 * ```
 */
export function jetstreamTransport(options: JetStreamTransportOptions): Transport {
  const { connection, streams = [], clock = systemClock, inboxPrefix = "_INBOX" } = options;
  const { bounds, heartbeatMs } = jetstreamSettings(options);
  const link = createLink(connection, (subject, error) => outbox.refuse(subject, error));
  const alive = createLiveness(connection, link, clock);
  const partitions = createPartitions(streams);
  const inbox = (): string => `${inboxPrefix}.${defaultIds()}`;
  const me = inbox();
  const outbox = createOutbox({
    connection,
    link,
    clock,
    alive,
    bounds,
    inbox: `${me}.`,
    shut: streams.length > 0,
  });
  const receiving: ReceiveContext = {
    options,
    link,
    clock,
    api: createApi(connection, link, options.domain),
    alive,
    partitions,
    heartbeatMs,
    inbox,
    running: new Set(),
  };
  const bytesOf = createEncoder();
  let closing = false;
  let ids = 0;
  let ensured: Promise<void> | undefined;
  let providing = false;
  // The last one that passed: comparing is cheaper than testing.
  let lastDestination = "";
  // What a nats-server takes unless configured otherwise.
  let maxMessageBytes = 1_048_576;

  const capabilities: Capabilities = {
    system: "nats",
    binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
    durable: true,
    redelivery: true,
    delayedRedelivery: true,
    // A reader without a group has one consumer with much on its way: after a broken socket the server sends again what
    // was lost with it only after what came behind.
    keyOrder: (destination, group) => group !== undefined && partitions.count(destination) > 0,
    groups: true,
    replay: true,
    deduplication: true,
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
  const encode = (message: OutgoingMessage, settled?: (outcome: PublishOutcome) => void): Pending => {
    checkOpen();
    const { destination, key, dedupId, body } = message;
    if (destination !== lastDestination) {
      checkDestination(destination);
      lastDestination = destination;
    }
    const { subject, partition } = partitions.place(destination, key);
    // Every message has an id: what this transport itself sends again must be recognised.
    const headers = [...message.headers, "Nats-Msg-Id", dedupId ?? `${me}:${ids++}`];
    const { head, body: content, bytes } = bytesOf({ destination: subject, headers, body });
    const most = capabilities.maxMessageBytes;
    if (bytes > most) throw new EventError("too-large", `jetstream: ${bytes} bytes, the server takes ${most}`);
    if (!ensured && streams.length > 0) void provideForMessages();
    return {
      subject,
      head,
      body: content,
      bytes,
      key,
      partition,
      recognised: dedupId !== undefined,
      atMs: 0,
      writtenMs: 0,
      sends: 0,
      refusals: 0,
      token: -1,
      turn: false,
      done: false,
      next: undefined,
      settled,
    };
  };

  /** What receives. A page that is offline may be unable to load it. */
  const load = (): Promise<typeof import("./receiving.ts")> =>
    import("./receiving.ts").catch((reason: unknown) => {
      throw EventError.from(reason, "unreachable", true);
    });

  /** Provides the streams, once; a failure is forgotten, so that the next call tries again. */
  const provide = (): Promise<void> => {
    if (streams.length === 0) return Promise.resolve();
    ensured ??= load()
      .then(async ({ ensureStream }) => {
        for (const stream of streams) await ensureStream(receiving.api, stream);
        outbox.open();
      })
      .catch((reason: unknown) => {
        ensured = undefined;
        throw EventError.from(reason);
      });
    return ensured;
  };

  /** Messages wait for the streams. What cannot be mended by waiting fails them. */
  const provideForMessages = async (): Promise<void> => {
    if (providing) return;
    providing = true;
    // The message that asks for it is not in the outbox yet.
    await undefined;
    while (!closing && outbox.size().buffered > 0) {
      try {
        await provide();
        break;
      } catch (reason) {
        const error = EventError.from(reason);
        if (!error.retryable) outbox.fail(error);
        else await sleep(clock, ensurePauseMs);
      }
    }
    providing = false;
  };

  return {
    name: options.name ?? "jetstream",
    capabilities,

    publish: (messages, { signal } = {}) => publishAll(outbox, encode, messages, signal),
    post: (message) => outbox.accept(encode(message)),

    async consume(source, sink) {
      checkOpen();
      await provide();
      const { startConsuming } = await load();
      checkOpen();
      return startConsuming(receiving, source, sink);
    },

    async *read(wanted) {
      checkOpen();
      await provide();
      const { readStored } = await load();
      yield* readStored(receiving, wanted);
    },

    async ensure(spec) {
      checkOpen();
      await provide();
      return (await load()).ensureDeadLetters(receiving, spec);
    },

    async openState(name, given = {}) {
      checkOpen();
      return (await load()).openState(receiving, name, given);
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

    /** Reports exactly what is left. */
    async close({ deadlineMs = 10_000 } = {}) {
      closing = true;
      const untilMs = clock.now() + deadlineMs;
      const left = (): number => Math.max(0, untilMs - clock.now());
      const reports = await Promise.all([...receiving.running].map((each) => each.close({ deadlineMs: left() })));
      await withinDeadline(clock, left(), outbox.settled());
      const { buffered: unsent } = outbox.size();
      outbox.close();
      link.close();
      return sumReports([{ unsent, unsettled: 0 }, ...reports]);
    },
  };
}
