import {
  type Context,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { first } from "./first.ts";
import { legalIds } from "./legal-ids.ts";

/**
 * The ids of the guide's JSON envelope, `trace_id` and `span_id`, as a propagator. They say nothing about sampling, so
 * that what is read counts as sampled; an unsampled span is written all the same.
 *
 * A bus needs it only beside other propagators than the default, which finds the ids of an envelope by itself, and to
 * read: `envelope()` writes them into the body, this writes them wherever the carrier keeps its fields.
 *
 * @example
 * ```ts
 * import { b3, compositePropagator, createEventBus, envelope, envelopeIds } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * createEventBus({
 *   source: "/shop",
 *   transports: { memory: memoryTransport() },
 *   codec: envelope(),
 *   propagator: compositePropagator([envelopeIds(), b3()]), // the last one that finds a parent counts
 * });
 * ```
 */
export function envelopeIds(): TextMapPropagator {
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      const span = trace.getSpanContext(context);
      if (!span || !legalIds(span.traceId, span.spanId)) return;
      setter.set(carrier, "trace_id", span.traceId);
      setter.set(carrier, "span_id", span.spanId);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      const traceId = first(carrier, getter, "trace_id") as string;
      const spanId = first(carrier, getter, "span_id") as string;
      if (!legalIds(traceId, spanId)) return context;
      return trace.setSpanContext(context, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
    },
    fields: () => ["trace_id", "span_id"],
  };
}
