import { type Context, diag, type TextMapGetter, type TextMapPropagator, type TextMapSetter } from "@opentelemetry/api";

/**
 * Several propagators as one, as OpenTelemetry's own: all inject, and all extract in order, each on the context that
 * the one before it returned. So the last one that finds a parent decides: put the preferred one last. A propagator
 * that throws is passed over, with a warning to OpenTelemetry's `diag`.
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
      for (const propagator of propagators) {
        attempt(() => propagator.inject(context, carrier, setter), undefined);
      }
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      return propagators.reduce(
        (soFar, propagator) => attempt(() => propagator.extract(soFar, carrier, getter), soFar),
        context,
      );
    },
    fields: () => [...new Set(propagators.flatMap((propagator) => propagator.fields()))],
  };
}

/** A trace that breaks must not cost the event. */
function attempt<T>(run: () => T, otherwise: T): T {
  try {
    return run();
  } catch (error) {
    diag.warn("compositePropagator: a propagator threw", error);
    return otherwise;
  }
}
