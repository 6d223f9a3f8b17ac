import { decodeMessage } from "../codec/detect.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import { parseTraceParent } from "../propagation/read.ts";
import type { HeaderBinding } from "../transport.ts";
import type { LetterFacts } from "./letter.ts";

const members = ["error", "original_topic", "failed_at"] as const;

/**
 * The body of a letter as the guide's `DLQHandler` writes it: the event's envelope with the failure in its `data`.
 * Undefined for what is no event, or has no object as its data.
 */
export function guideLetter(
  message: IncomingMessage,
  binding: HeaderBinding,
  limits: Limits,
  { errorMessage, destination, lastFailedAt }: LetterFacts,
): string | undefined {
  let event: CloudEvent;
  try {
    event = decodeMessage(message, binding, limits);
  } catch {
    return undefined; // unreadable: that may be why it is here
  }
  const { data } = event;
  if (typeof data !== "object" || data === null || Array.isArray(data) || data instanceof Uint8Array) return undefined;
  const told = { ...data, error: errorMessage, original_topic: destination, failed_at: lastFailedAt };
  const { id, type, source, time, extensions } = event;
  const created = extensions.traceparent;
  const span = created === undefined ? undefined : parseTraceParent(String(created));
  const ids = span && { trace_id: span.traceId, span_id: span.spanId };
  return JSON.stringify({ id, type, source, timestamp: time ?? lastFailedAt, data: told, ...ids });
}

/** The data without what the guide's form added. */
export function withoutGuideMembers(data: unknown): unknown {
  if (typeof data !== "object" || data === null) return data;
  const kept: Record<string, unknown> = { ...data };
  for (const member of members) delete kept[member];
  return kept;
}
