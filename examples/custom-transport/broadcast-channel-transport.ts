import {
  type Capabilities,
  type ConsumeSink,
  type Delivery,
  EventError,
  type HeaderCarrier,
  type HeaderEntries,
  type OutgoingMessage,
  type PublishOutcome,
  type Transport,
} from "waybill";

/** A message as it crosses the channel. */
interface Wire {
  readonly destination: string;
  readonly headers: HeaderEntries;
  readonly body: string | Uint8Array | null;
}

/** What it can do; what is left out it cannot. */
export const capabilities: Capabilities = {
  system: "broadcast_channel",
  binding: { prefix: "ce-", contentType: "content-type", percentEncoded: true },
  maxMessageBytes: 1_048_576,
};

/**
 * Carries events between the tabs of one origin, or the threads of one process, over a `BroadcastChannel`.
 *
 * Every listener gets an event at most once: nothing is stored, so there are no groups, no redelivery and no replay.
 * What is not in `capabilities` core refuses; retries, tracing and order are core's business and not repeated here.
 */
export function broadcastChannelTransport(channelName: string, name = "tabs"): Transport {
  const channel = new BroadcastChannel(channelName);
  const consumers = new Set<Consumer>();
  let closed = false;
  const receive = ({ data }: MessageEvent<Wire>): void => {
    for (const { take } of consumers) take(data);
  };
  channel.addEventListener("message", receive as EventListener);
  const closedError = (): EventError => new EventError("closed", `transport "${name}" is closed`);

  /** A channel does not give its own sender what it posts: that is handed over here. */
  function send({ destination, headers, body }: OutgoingMessage): PublishOutcome {
    const refuse = (error: EventError): PublishOutcome => ({
      stored: false,
      outcome: "failed",
      retrySafe: true,
      error,
    });
    if (closed) return refuse(closedError());
    const bytes = sizeOf(headers, body);
    if (bytes > capabilities.maxMessageBytes) return refuse(new EventError("too-large", `tabs: ${bytes} bytes`));
    const wire = { destination, headers, body };
    channel.postMessage(wire);
    queueMicrotask(() => {
      for (const { take } of consumers) take(wire);
    });
    return { stored: true, at: {} };
  }

  return {
    name,
    capabilities,
    async publish(messages, { signal } = {}) {
      if (!signal?.aborted) return messages.map(send);
      const error = EventError.from(signal.reason, "aborted");
      return messages.map(() => ({ stored: false, outcome: "failed", retrySafe: true, error }));
    },
    post(message) {
      const outcome = send(message);
      if (!outcome.stored) throw outcome.error;
      return true;
    },
    async consume({ destinations }, sink) {
      if (closed) throw closedError();
      const consumer = createConsumer(name, destinations, sink);
      consumers.add(consumer);
      return {
        credit: consumer.credit,
        pauseLane: consumer.pause,
        resumeLane: consumer.resume,
        lag: async () => [{ lane: name, messages: consumer.waiting() }],
        async close() {
          consumers.delete(consumer);
          return { unsent: 0, unsettled: consumer.close() };
        },
      };
    },
    health: () => ({ state: closed ? "closed" : "connected", buffered: 0, bufferedBytes: 0 }),
    onStatus: () => () => undefined,
    async close() {
      closed = true;
      let unsettled = 0;
      for (const consumer of consumers) unsettled += consumer.close();
      consumers.clear();
      channel.removeEventListener("message", receive as EventListener);
      channel.close();
      return { unsent: 0, unsettled };
    },
  };
}

/** One consumption. */
interface Consumer {
  take(wire: Wire): void;
  credit(n: number): void;
  pause(): void;
  resume(): void;
  waiting(): number;
  /** Aborts what runs, and answers how many deliveries were not settled. */
  close(): number;
}

/** Holds what arrives until there is credit for it. */
function createConsumer(lane: string, destinations: readonly string[], sink: ConsumeSink): Consumer {
  const held: Wire[] = [];
  const abort = new AbortController();
  let [credit, position, unsettled, paused] = [0, 0, 0, false];

  function pass(): void {
    while (credit > 0 && held.length > 0 && !paused && !abort.signal.aborted) {
      credit--;
      unsettled++;
      sink.deliver(deliveryOf(held.shift()!));
    }
  }

  function deliveryOf(wire: Wire): Delivery {
    let open = true;
    const done = (giveBack: boolean): void => {
      if (!open) return;
      open = false;
      unsettled--;
      if (giveBack) held.unshift(wire);
      pass();
    };
    const body = typeof wire.body === "string" ? new TextEncoder().encode(wire.body) : wire.body;
    return {
      message: { destination: wire.destination, headers: carrierOf(wire.headers), body },
      attempt: 1,
      lane,
      position: String(++position),
      signal: abort.signal,
      settle: async () => done(false),
      extend: () => undefined,
      release: () => done(true),
    };
  }

  return {
    take(wire: Wire): void {
      if (!destinations.includes(wire.destination)) return;
      held.push(wire);
      pass();
    },
    credit(n: number): void {
      credit += n;
      pass();
    },
    pause(): void {
      paused = true;
    },
    resume(): void {
      paused = false;
      pass();
    },
    waiting: (): number => held.length,
    close(): number {
      abort.abort();
      held.length = 0;
      return unsettled;
    },
  };
}

/** Names match without regard to case; a name may have several values. */
function carrierOf(entries: HeaderEntries): HeaderCarrier {
  let flat = entries.map((each) => (typeof each === "string" ? each : new TextDecoder().decode(each)));
  const same = (at: number, name: string): boolean => flat[at]!.toLowerCase() === name.toLowerCase();
  const places = (name: string): number[] => flat.map((_, at) => at).filter((at) => at % 2 === 0 && same(at, name));
  return {
    get: (name) => flat[(places(name)[0] ?? -2) + 1],
    getAll: (name) => places(name).map((at) => flat[at + 1]!),
    set(name, value) {
      flat = [...flat.filter((_, at) => !same(at - (at % 2), name)), name, value];
    },
    keys: () => [...new Set(flat.filter((_, at) => at % 2 === 0))],
    entries: () => flat,
  };
}

function sizeOf(headers: HeaderEntries, body: Wire["body"]): number {
  let bytes = typeof body === "string" ? new TextEncoder().encode(body).length : (body?.length ?? 0);
  for (const part of headers) bytes += part.length;
  return bytes;
}
