import { abortable } from "../../core/deadline.ts";
import { EventError } from "../../core/errors.ts";
import type { OutgoingMessage } from "../../core/message.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { Encoder } from "./encoder.ts";
import { type Entry, notStored, type Outbox } from "./outbox.ts";

/** Puts messages into the outbox; resolves with their outcomes when the last is known. */
export function publishAll(
  outbox: Outbox,
  encode: Encoder,
  messages: readonly OutgoingMessage[],
  signal: AbortSignal | undefined,
): Promise<readonly PublishOutcome[]> {
  const entries: Entry[] = [];
  const published = new Promise<readonly PublishOutcome[]>((resolve) => {
    const outcomes: PublishOutcome[] = [];
    let left = messages.length;
    if (left === 0) resolve(outcomes);
    messages.forEach((message, index) => {
      const settled = (outcome: PublishOutcome): void => {
        outcomes[index] = outcome;
        if (--left === 0) resolve(outcomes);
      };
      try {
        const entry = encode(message, settled);
        if (outbox.accept(entry)) entries.push(entry);
        else settled(notStored(new EventError("buffer-full", "nats: the buffer is full", { retryable: true })));
      } catch (reason) {
        settled(notStored(EventError.from(reason)));
      }
    });
  });
  const abandon = (): void => {
    for (const entry of entries) outbox.abandon(entry, EventError.from(signal!.reason, "aborted"));
  };
  // What an abort leaves behind is settled, so that the outcomes are there in any case.
  if (signal) abortable(published, signal, abandon).catch(() => {});
  return published;
}
