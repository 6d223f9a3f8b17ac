import { EventError, type OutgoingMessage, type PublishOutcome, type Transport } from "waybill";

/** A call of `publish` that waits for its answer. */
export interface PendingCall {
  readonly messages: readonly OutgoingMessage[];
  /** Answers message by message: true is stored. */
  answer(stored: (index: number) => boolean): void;
}

/** A transport that does nothing by itself: a test answers each `publish`. A fake, for what brokers do seldom. */
export function scriptedTransport(): { readonly transport: Transport; readonly calls: PendingCall[] } {
  const calls: PendingCall[] = [];
  let closed = false;
  const transport: Transport = {
    name: "scripted",
    capabilities: {
      system: "scripted",
      binding: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
      maxMessageBytes: 1_048_576,
    },
    publish(messages) {
      return new Promise<readonly PublishOutcome[]>((resolve) => {
        const call: PendingCall = {
          messages,
          answer(stored) {
            calls.splice(calls.indexOf(call), 1);
            resolve(messages.map((_, index) => (stored(index) ? { stored: true, at: { sequence: index } } : refused)));
          },
        };
        calls.push(call);
      });
    },
    consume: () => Promise.reject(new Error("only publishes")),
    health: () => ({ state: closed ? "closed" : "connected", buffered: 0, bufferedBytes: 0 }),
    onStatus: () => () => undefined,
    close: async () => {
      closed = true;
      return { unsent: 0, unsettled: 0 };
    },
  };
  return { transport, calls };
}

const refused: PublishOutcome = {
  stored: false,
  outcome: "failed",
  retrySafe: true,
  error: new EventError("transport-failed", "the script says no", { retryable: true }),
};
