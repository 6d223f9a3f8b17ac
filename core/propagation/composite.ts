import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";

/**
 * Several propagators as one: all inject, and all extract in order, each on the context that the one
 * before it returned.
 *
 * @example
 * ```ts
 * import { compositePropagator, w3cBaggage, w3cTraceContext } from "waybill";
 *
 * export const propagator = compositePropagator([w3cTraceContext(), w3cBaggage()]);
 * ```
 */
export function compositePropagator(propagators: readonly TextMapPropagator[]): TextMapPropagator {
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      for (const propagator of propagators) propagator.inject(context, carrier, setter);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      return propagators.reduce((soFar, propagator) => propagator.extract(soFar, carrier, getter), context);
    },
    fields: () => [...new Set(propagators.flatMap((propagator) => propagator.fields()))],
  };
}
