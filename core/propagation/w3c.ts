import {
  type Context,
  isSpanContextValid,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { cutTraceState, parseTraceState } from "./trace-state.ts";

/** Options of {@link w3cTraceContext}. */
export interface W3CTraceContextOptions {
  /** Longest `tracestate` written, in characters. Default: 512, which the standard asks everybody to carry. */
  readonly maxStateLength?: number;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Sampled and random-trace-id; other bits have no meaning yet and must be sent as zero. */
const knownFlags = 0x03;
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
  return isSpanContextValid(context) ? context : undefined;
}

/** Writes a `traceparent` of version 00. */
export function formatTraceParent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & knownFlags}`;
}

/**
 * W3C Trace Context, Level 2: `traceparent` and `tracestate`. Passes the cases of the official suite
 * on which OpenTelemetry's own propagator fails (see `docs/decisions/own-propagators.md`).
 *
 * @example
 * ```ts
 * import { compositePropagator, createEventBus, w3cBaggage, w3cTraceContext } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * createEventBus({
 *   source: "/shop",
 *   transports: { memory: memoryTransport() },
 *   propagator: compositePropagator([w3cTraceContext(), w3cBaggage()]),
 * });
 * ```
 */
export function w3cTraceContext({ maxStateLength = 512 }: W3CTraceContextOptions = {}): TextMapPropagator {
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      const span = trace.getSpanContext(context);
      if (!span || !isSpanContextValid(span)) return;
      setter.set(carrier, "traceparent", formatTraceParent(span));
      const state = span.traceState && cutTraceState(span.traceState.serialize(), maxStateLength);
      if (state) setter.set(carrier, "tracestate", state);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      const parents = [getter.get(carrier, "traceparent") ?? []].flat();
      // Two parents are a contradiction: the standard restarts the trace.
      const span = parents.length === 1 ? parseTraceParent(parents[0]!.trim()) : undefined;
      if (!span) return context;
      const text = [getter.get(carrier, "tracestate") ?? []].flat().join(",");
      const state = text.length <= hopSize ? parseTraceState(text) : undefined;
      return trace.setSpanContext(context, state ? { ...span, traceState: state } : span);
    },
    fields: () => ["traceparent", "tracestate"],
  };
}
