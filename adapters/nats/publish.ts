import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import { notStored } from "./not-stored.ts";
import { onAbort } from "./on-abort.ts";

/** What takes encoded messages and settles each. */
export interface Acceptor<Entry> {
  /** Takes an entry, or refuses it when the buffer is full. */
  accept(entry: Entry): boolean;
  /** Settles an entry before its time: its caller gave up. */
  abandon(entry: Entry, error: EventError): void;
}

/** Puts messages into an outbox; resolves with their outcomes when the last is known. */
export function publishAll<Entry>(
  outbox: Acceptor<Entry>,
  encode: (message: OutgoingMessage, settled: (outcome: PublishOutcome) => void) => Entry,
  messages: readonly OutgoingMessage[],
  signal: AbortSignal | undefined,
): Promise<readonly PublishOutcome[]> {
  return new Promise((resolve) => {
    const outcomes: PublishOutcome[] = [];
    let left = messages.length;
    let leave: (() => void) | undefined;
    if (left === 0) resolve(outcomes);
    const entries = messages.map((message, index) => {
      const settled = (outcome: PublishOutcome): void => {
        outcomes[index] = outcome;
        if (--left > 0) return;
        leave?.();
        resolve(outcomes);
      };
      try {
        const entry = encode(message, settled);
        if (outbox.accept(entry)) return entry;
        throw new EventError("buffer-full", "nats: the buffer is full", { retryable: true });
      } catch (reason) {
        return settled(notStored(EventError.from(reason)));
      }
    });
    if (left > 0 && signal) {
      leave = onAbort(signal, (error) => {
        for (const entry of entries) if (entry) outbox.abandon(entry, error);
      });
    }
  });
}
