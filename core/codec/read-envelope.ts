import { type CloudEvent, checkExtension, checkText, type ExtensionValue } from "../event.ts";
import { legalIds } from "../propagation/legal-ids.ts";
import { attributes, others } from "./envelope-members.ts";
import { finishEvent, newExtensions } from "./read-attributes.ts";

/** The event of an envelope's members, or undefined when they are not an envelope's. */
export function decodeEnvelope(members: Record<string, unknown>): CloudEvent | undefined {
  const { id, type, source, timestamp, data, trace_id, span_id, ...rest } = members;
  if (id === undefined || type === undefined || timestamp === undefined) return undefined;
  const event: Record<string, unknown> = { id, type, source, time: timestamp, data: data ?? undefined };
  const extensions = newExtensions();
  const kept: Record<string, unknown> = Object.create(null);
  for (const name in rest) {
    const value = rest[name];
    if (attributes.includes(name as "subject") && passes(checkText, name, value)) event[name] = value;
    else if (name !== others && passes(checkExtension, name, value)) extensions[name] = value as ExtensionValue;
    else kept[name] = value;
  }
  for (const _ in kept) {
    // Escaped to ASCII, since an extension may not hold every character that JSON may.
    extensions[others] = JSON.stringify(kept).replace(/[^ -~]/g, toAscii);
    break;
  }
  // The ids name the span that published the event, and a Go service writes them only when it records.
  if (legalIds(trace_id, span_id)) extensions.traceparent ??= `00-${trace_id}-${span_id}-01`;
  return finishEvent(event, extensions);
}

function toAscii(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function passes(check: (name: string, value: unknown) => void, name: string, value: unknown): boolean {
  try {
    check(name, value);
    return true;
  } catch {
    return false;
  }
}
