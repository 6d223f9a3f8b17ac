import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { readBaggage } from "./read.ts";
import { writeBaggage } from "./write.ts";

/** Options of {@link w3cBaggage}. */
export interface W3CBaggageOptions {
  /** Longest `baggage` written and read, in bytes. Default: 8,192, which the standard asks everybody to carry. */
  readonly maxBytes?: number;
  /** Most members written and read. Default: 180. */
  readonly maxMembers?: number;
}

/**
 * W3C Baggage: key–value pairs that travel with the trace. Members beyond the limits are left out
 * whole, from the end. Never put secrets into baggage: every hop reads it.
 *
 * @example
 * ```ts
 * import { compositePropagator, w3cBaggage, w3cTraceContext } from "waybill";
 *
 * export const propagator = compositePropagator([w3cTraceContext(), w3cBaggage({ maxBytes: 4_096 })]);
 * ```
 */
export function w3cBaggage({ maxBytes = 8192, maxMembers = 180 }: W3CBaggageOptions = {}): TextMapPropagator {
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      writeBaggage(context, carrier, setter, maxBytes, maxMembers);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      return readBaggage(context, carrier, getter, maxBytes, maxMembers);
    },
    fields: () => ["baggage"],
  };
}
