import {
  type Context,
  isSpanContextValid,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { parseTraceState } from "./trace-state.ts";
import { knownFlags, writeTraceContext } from "./write.ts";

/** Options of {@link w3cTraceContext}. */
export interface W3CTraceContextOptions {
  /** Longest `tracestate` written, in characters. Default: 512, which the standard asks everybody to carry. */
  readonly maxStateLength?: number;
}

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
  return isSpanContextValid(context) ? context : undefined;
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
      writeTraceContext(context, carrier, setter, maxStateLength);
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
