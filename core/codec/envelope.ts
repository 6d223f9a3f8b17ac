import type { SpanContext } from "@opentelemetry/api";
import { EventError } from "../errors.ts";
import {
  type CloudEvent,
  checkEvent,
  checkExtension,
  checkText,
  copyExtensions,
  type ExtensionValue,
} from "../event.ts";
import type { HeaderBinding } from "../transport.ts";
import type { Codec } from "./codec.ts";

/**
 * The JSON envelope of the guide's Go services: `id`, `type`, `source`, `timestamp`, `data`, `trace_id`
 * and `span_id`. Data must be an object. Other CloudEvents attributes travel as further members,
 * which those services ignore; members that are no CloudEvents attributes survive a read and a write.
 *
 * @example
 * ```ts
 * import { createEventBus, envelope } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "go-service", transports: { memory: memoryTransport() }, codec: envelope() });
 * await bus.publish("order.placed", { orderId: "o-1" });
 * ```
 */
export function envelope(): Codec {
  return { name: "envelope", encode };
}

/** What Go writes for "no time". */
const zeroTime = "0001-01-01T00:00:00Z";

/** Holds, as JSON text, the members that cannot be CloudEvents extensions. */
const others = "envelopemembers";

/** CloudEvents attributes that the envelope has no member of its own for. */
const attributes = ["datacontenttype", "dataschema", "subject"] as const;

function encode(event: CloudEvent, _: HeaderBinding, __: unknown, span: SpanContext | undefined): string {
  const { data = {}, extensions, time, id, type, source } = event;
  if (typeof data !== "object" || data === null || Array.isArray(data) || data instanceof Uint8Array) {
    throw new EventError("invalid-data", "the envelope codec takes an object as data");
  }
  const members: Record<string, unknown> = { id, type, source, timestamp: time ?? zeroTime, data };
  for (const name of attributes) if (event[name] !== undefined) members[name] = event[name];
  const { [others]: kept, ...rest } = extensions;
  // The envelope's own members stand first and win.
  const all = { ...members, ...(typeof kept === "string" && JSON.parse(kept)), ...rest, ...members };
  if (span) Object.assign(all, { trace_id: span.traceId, span_id: span.spanId });
  return JSON.stringify(all);
}

/** Ids that are not all zero, as Go writes them without an SDK. */
const hexIds = /^(?!0+-)[0-9a-f]{32}-(?!0+$)[0-9a-f]{16}$/;

/** The event of an envelope's members, or undefined when they are not an envelope's. */
export function decodeEnvelope(members: Record<string, unknown>): CloudEvent | undefined {
  const { id, type, source, timestamp, data, trace_id, span_id, ...rest } = members;
  if (id === undefined || type === undefined || timestamp === undefined) return undefined;
  const event: Record<string, unknown> = { id, type, source, time: timestamp, data: data ?? undefined };
  const extensions = copyExtensions();
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
  const ids = `${trace_id}-${span_id}`;
  if (hexIds.test(ids)) extensions["traceparent"] ??= `00-${ids}-01`;
  event["extensions"] = Object.freeze(extensions);
  checkEvent(event as unknown as CloudEvent, "malformed-message");
  return Object.freeze(event) as unknown as CloudEvent;
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
