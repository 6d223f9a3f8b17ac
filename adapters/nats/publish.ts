import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { Encoder } from "./encoder.ts";
import { onAbort } from "./on-abort.ts";
import { type Entry, notStored, type Outbox } from "./outbox.ts";

/** Puts messages into the outbox; resolves with their outcomes when the last is known. */
export function publishAll(
  outbox: Outbox,
  encode: Encoder,
  messages: readonly OutgoingMessage[],
  signal: AbortSignal | undefined,
): Promise<readonly PublishOutcome[]> {
  return new Promise((resolve) => {
    const outcomes: PublishOutcome[] = [];
    const entries: Entry[] = [];
    let left = messages.length;
    let leave = (): void => {};
    if (left === 0) resolve(outcomes);
    messages.forEach((message, index) => {
      const settled = (outcome: PublishOutcome): void => {
        outcomes[index] = outcome;
        if (--left > 0) return;
        leave();
        resolve(outcomes);
      };
      try {
        const entry = encode(message, settled);
        if (!outbox.accept(entry))
          settled(notStored(new EventError("buffer-full", "nats: the buffer is full", { retryable: true })));
        else if (signal) entries.push(entry);
      } catch (reason) {
        settled(notStored(EventError.from(reason)));
      }
    });
    if (left > 0 && signal) {
      leave = onAbort(signal, (error) => {
        for (const entry of entries) outbox.abandon(entry, error);
      });
    }
  });
}
