import {
  type BaggageEntry,
  baggageEntryMetadataFromString,
  type Context,
  INVALID_SPANID,
  INVALID_TRACEID,
  propagation,
  type SpanContext,
  type TextMapGetter,
  trace,
} from "@opentelemetry/api";
import { parseTraceState } from "./trace-state.ts";
import { knownFlags, token } from "./write.ts";

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const hopSize = 65_536;

/** Reads a `traceparent` of any version; undefined when it is illegal. */
export function parseTraceParent(text: string): SpanContext | undefined {
  const parts = pattern.exec(text);
  // Version 00 ends after the flags; ff is forbidden; later versions may go on after a dash.
  if (!parts || parts[1] === "ff" || (parts[1] === "00" && parts[5] !== undefined)) return undefined;
  const context = {
    traceId: parts[2]!,
    spanId: parts[3]!,
    traceFlags: Number.parseInt(parts[4]!, 16) & knownFlags,
    isRemote: true,
  };
  // The pattern left nothing else to check.
  return context.traceId !== INVALID_TRACEID && context.spanId !== INVALID_SPANID ? context : undefined;
}

/** The reading half of `w3cTraceContext`. */
export function readTraceContext<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
  const given = getter.get(carrier, "traceparent");
  // Two parents are a contradiction: the standard restarts the trace.
  const parent = Array.isArray(given) && given.length === 1 ? given[0] : given;
  const span = typeof parent === "string" ? parseTraceParent(parent.trim()) : undefined;
  if (!span) return context;
  const text = joined(getter.get(carrier, "tracestate"));
  const state = text !== "" && text.length <= hopSize ? parseTraceState(text) : undefined;
  return trace.setSpanContext(context, state ? { ...span, traceState: state } : span);
}

/** The values of one header as if they were written in one. */
function joined(given: string | string[] | undefined): string {
  return Array.isArray(given) ? given.join(",") : (given ?? "");
}

/** Decodes percent-encoding; bytes that are no UTF-8 become U+FFFD, as the standard says. */
function decode(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) => {
    const bytes = escapes.match(/[0-9a-f]{2}/gi)!.map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
}

function trimAround(text: string, at: number): string {
  return at < 0 ? text.trim() : `${text.slice(0, at).trim()}=${text.slice(at + 1).trim()}`;
}

/** The reading half of `w3cBaggage`. */
export function readBaggage<Carrier>(
  context: Context,
  carrier: Carrier,
  getter: TextMapGetter<Carrier>,
  maxBytes = 8192,
  maxMembers = 180,
): Context {
  const text = joined(getter.get(carrier, "baggage"));
  if (text === "") return context;
  const entries: Record<string, BaggageEntry> = Object.create(null);
  let members = 0;
  let bytes = 0;
  for (const part of text.split(",", maxMembers + 1)) {
    bytes += part.length + 1;
    if (bytes > maxBytes + 1 || members === maxMembers) break;
    const [pair, ...properties] = part.split(";");
    const at = pair!.indexOf("=");
    const key = pair!.slice(0, Math.max(at, 0)).trim();
    if (!token.test(key)) continue;
    // White space around a property's first equals sign is no part of it; what it says is not for us to read.
    const metadata = properties.map((property) => trimAround(property, property.indexOf("="))).join(";");
    entries[key] = {
      value: decode(pair!.slice(at + 1).trim()),
      ...(metadata && { metadata: baggageEntryMetadataFromString(metadata) }),
    };
    members++;
  }
  return members ? propagation.setBaggage(context, propagation.createBaggage(entries)) : context;
}
