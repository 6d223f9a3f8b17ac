import type { SpanContext } from "@opentelemetry/api";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";
import type { Codec } from "./codec.ts";
import { attributes, others } from "./envelope-members.ts";

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
