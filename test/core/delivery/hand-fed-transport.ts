import type { Capabilities, ConsumeSink, Delivery, OutgoingMessage, PublishOutcome, Transport, Verdict } from "waybill";
import { pairHeaders } from "../../../adapters/memory/headers.ts";

/** A delivery that a test hands over, and what became of it. */
export interface HandFed {
  readonly verdicts: Verdict[];
  released: number;
  extended: number;
}

/** How an event is handed over; `lane` can be fenced. */
export interface HandFedOptions {
  readonly key?: string;
  readonly destination?: string;
  readonly lane?: AbortController;
  readonly extensions?: Record<string, string>;
  /** Called before a verdict is taken. */
  readonly onSettle?: () => void;
}

/** A transport whose deliveries a test hands over, one by one. A fake, for moments that brokers do not stop at. */
export interface HandFedTransport {
  readonly transport: Transport;
  /** Credit given so far. */
  readonly credit: number;
  /** Messages that it was given to publish. */
  readonly given: OutgoingMessage[];
  /** Answers each publish; by default everything is stored. */
  answer: (message: OutgoingMessage) => Promise<PublishOutcome>;
  /** Hands an event over. */
  feed(n: number, more?: HandFedOptions): HandFed;
}

export function handFedTransport(capabilities: Partial<Capabilities> = {}): HandFedTransport {
  let sink: ConsumeSink | undefined;
  let credit = 0;
  const given: OutgoingMessage[] = [];
  const idle = new AbortController();
  const made: HandFedTransport = {
    get credit() {
      return credit;
    },
    given,
    answer: () => Promise.resolve({ stored: true, at: {} }),
    feed(n, { key, destination = "t", lane = idle, extensions = {}, onSettle } = {}) {
      const fed: HandFed = { verdicts: [], released: 0, extended: 0 };
      const own: [string, string][] = Object.entries(extensions).map(([name, value]) => [`ce-${name}`, value]);
      const attributes: [string, string][] = [
        ["ce-specversion", "1.0"],
        ["ce-id", `e-${n}`],
        ["ce-source", "/s"],
        ["ce-type", "t"],
      ];
      const delivery: Delivery = {
        message: {
          destination,
          headers: pairHeaders([...attributes, ...own]),
          body: new TextEncoder().encode(String(n)),
          key,
        },
        attempt: 1,
        lane: "t/0",
        position: String(n),
        signal: lane.signal,
        settle(verdict) {
          onSettle?.();
          fed.verdicts.push(verdict);
          return Promise.resolve();
        },
        extend: () => void fed.extended++,
        release: () => void fed.released++,
      };
      sink!.deliver(delivery);
      return fed;
    },
    transport: {
      name: "hand-fed",
      capabilities: {
        system: "fake",
        binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
        redelivery: true,
        groups: true,
        replay: true,
        deduplication: true,
        maxMessageBytes: 1_048_576,
        ...capabilities,
      },
      publish(messages) {
        given.push(...messages);
        return Promise.all(messages.map((message) => made.answer(message)));
      },
      consume: async (_, into) => {
        sink = into;
        return {
          credit: (n) => {
            credit += n;
          },
          pauseLane: () => undefined,
          resumeLane: () => undefined,
          lag: async () => [],
          close: async () => ({ unsent: 0, unsettled: 0 }),
        };
      },
      health: () => ({ state: "connected", buffered: 0, bufferedBytes: 0 }),
      onStatus: () => () => undefined,
      close: async () => ({ unsent: 0, unsettled: 0 }),
    },
  };
  return made;
}
