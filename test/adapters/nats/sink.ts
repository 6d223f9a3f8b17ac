import type { EventError } from "../../../core/errors.ts";
import type { HeaderEntries, OutgoingMessage } from "../../../core/message.ts";
import type { ConsumeSink, Delivery } from "../../../core/transport.ts";

/** A sink that keeps what it gets. */
export interface CollectingSink extends ConsumeSink {
  readonly deliveries: Delivery[];
  readonly errors: EventError[];
  /** Bodies as text, in order. */
  bodies(): string[];
}

/** Makes a sink; with `settle` it acknowledges at once. */
export function collectingSink(): CollectingSink {
  const deliveries: Delivery[] = [];
  const errors: EventError[] = [];
  return {
    deliveries,
    errors,
    deliver: (delivery) => void deliveries.push(delivery),
    revoke: () => Promise.resolve(),
    failed: (error) => void errors.push(error),
    bodies: () => deliveries.map(({ message }) => new TextDecoder().decode(message.body!)),
  };
}

/** A message to a subject. */
export function outgoing(destination: string, body: string | Uint8Array | null, ...headers: string[]): OutgoingMessage {
  return { destination, body, headers: headers as HeaderEntries };
}

/** Waits until `check` holds; fails with its last answer after `timeoutMs`. */
export async function until(check: () => unknown, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!check()) {
    if (Date.now() > deadlineMs) throw new Error(`still not: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
