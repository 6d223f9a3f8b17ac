import { type Context, type TextMapPropagator, type TextMapSetter, trace } from "@opentelemetry/api";
import { readTraceContext } from "./read.ts";
import { writeTraceContext } from "./write.ts";

/** Options of {@link w3cTraceContext}. */
export interface W3CTraceContextOptions {
  /** Longest `tracestate` written, in characters. Default: 512, which the standard asks everybody to carry. */
  readonly maxStateLength?: number;
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
      writeTraceContext(trace.getSpanContext(context), carrier, setter, maxStateLength);
    },
    extract: readTraceContext,
    fields: () => ["traceparent", "tracestate"],
  };
}
