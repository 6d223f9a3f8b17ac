import {
  type BaggageEntry,
  baggageEntryMetadataFromString,
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from "@opentelemetry/api";
import { token, writeBaggage } from "./write.ts";

/** Options of {@link w3cBaggage}. */
export interface W3CBaggageOptions {
  /** Longest `baggage` written and read, in bytes. Default: 8,192, which the standard asks everybody to carry. */
  readonly maxBytes?: number;
  /** Most members written and read. Default: 180. */
  readonly maxMembers?: number;
}

/** Decodes percent-encoding; bytes that are no UTF-8 become U+FFFD, as the standard says. */
function decode(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) => {
    const bytes = escapes.match(/[0-9a-f]{2}/gi)!.map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
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
      const entries: Record<string, BaggageEntry> = Object.create(null);
      let members = 0;
      let bytes = 0;
      for (const part of [getter.get(carrier, "baggage") ?? []]
        .flat()
        .join(",")
        .split(",", maxMembers + 1)) {
        bytes += part.length + 1;
        if (bytes > maxBytes + 1 || members === maxMembers) break;
        const [pair, ...properties] = part.split(";");
        const at = pair!.indexOf("=");
        const key = pair!.slice(0, Math.max(at, 0)).trim();
        if (!token.test(key)) continue;
        const metadata = properties.map((property) => property.trim()).join(";");
        entries[key] = {
          value: decode(pair!.slice(at + 1).trim()),
          ...(metadata && { metadata: baggageEntryMetadataFromString(metadata) }),
        };
        members++;
      }
      return members ? propagation.setBaggage(context, propagation.createBaggage(entries)) : context;
    },
    fields: () => ["baggage"],
  };
}
