import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { Encoder } from "./encoder.ts";
import { onAbort } from "./on-abort.ts";
import { notStored, type Outbox } from "./outbox.ts";

/** Puts messages into the outbox; resolves with their outcomes when the last is known. */
export function publishAll(
  outbox: Outbox,
  encode: Encoder,
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
