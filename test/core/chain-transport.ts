import type { Capabilities, ConsumeSource } from "waybill";
import { EventError, type OutgoingMessage, type PublishOutcome, type Transport, type TransportHealth } from "waybill";

/** How an attempt ends: stored, or not for this reason. */
export type Ending = "stored" | "failed" | "unknown" | "too-large";

/** A transport that ends each attempt as a test says. A fake, for what brokers do seldom. */
export interface ChainTransport extends Transport {
  /** What it stored. */
  readonly stored: OutgoingMessage[];
  /** Every message it was given. */
  readonly given: OutgoingMessage[];
  readonly consumed: ConsumeSource[];
  /** How the next attempts end, in order; then `usually`. */
  script: Ending[];
  usually: Ending;
  state: TransportHealth["state"];
}

export function chainTransport(name: string, capabilities: Partial<Capabilities> = {}): ChainTransport {
  const endingOf = (ending: Ending): PublishOutcome => {
    if (ending === "stored") return { stored: true, at: { sequence: transport.stored.length } };
    const own = ending === "too-large";
    return {
      stored: false,
      outcome: ending === "unknown" ? "unknown" : "failed",
      retrySafe: ending !== "unknown",
      error: new EventError(own ? "too-large" : "transport-failed", `${name}: ${ending}`, { retryable: !own }),
    };
  };
  const transport: ChainTransport = {
    name,
    capabilities: {
      system: name,
      binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
      maxMessageBytes: 1_048_576,
      ...capabilities,
    },
    stored: [],
    given: [],
    consumed: [],
    script: [],
    usually: "stored",
    state: "connected",
    async publish(messages, { signal } = {}) {
      await undefined;
      return messages.map((message) => {
        transport.given.push(message);
        if (signal?.aborted) {
          const error = new EventError("aborted", `${name}: given up`, { cause: signal.reason });
          return { stored: false, outcome: "failed", retrySafe: true, error };
        }
        const ending = transport.script.shift() ?? transport.usually;
        if (ending === "stored") transport.stored.push(message);
        return endingOf(ending);
      });
    },
    async consume(source) {
      transport.consumed.push(source);
      return {
        credit: () => undefined,
        pauseLane: () => undefined,
        resumeLane: () => undefined,
        lag: async () => [],
        close: async () => ({ unsent: 0, unsettled: 0 }),
      };
    },
    health: () => ({ state: transport.state, buffered: 0, bufferedBytes: 0 }),
    onStatus: () => () => undefined,
    close: async () => ({ unsent: 0, unsettled: 0 }),
  };
  return transport;
}

/** The value of a header of a message. */
export function headerOf({ headers }: OutgoingMessage, name: string): string | undefined {
  const at = headers.indexOf(name);
  return at < 0 ? undefined : String(headers[at + 1]);
}
