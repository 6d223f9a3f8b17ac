import type { TextMapGetter } from "@opentelemetry/api";

/** The first value of a field. */
export function first<Carrier>(carrier: Carrier, getter: TextMapGetter<Carrier>, name: string): string | undefined {
  return [getter.get(carrier, name) ?? []].flat()[0];
}
