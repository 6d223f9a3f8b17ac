import type { TextMapGetter, TextMapSetter } from "@opentelemetry/api";
import fc from "fast-check";

/** Headers as an HTTP server or a broker's client hands them over: any case, repeated. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** One value as a string, several as an array: both forms that OpenTelemetry allows. */
export const listGetter: TextMapGetter<HeaderList> = {
  get(headers, name) {
    const values = headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
    return values.length > 1 ? values : values[0];
  },
  keys: (headers) => headers.map(([name]) => name),
};

export const recordSetter: TextMapSetter<Record<string, string>> = {
  set(carrier, name, value) {
    carrier[name] = value;
  },
};

/** Text of any characters: control characters, lone surrogates and the separators of the formats among them. */
export const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(..." \t,;=%-@a0€😀"),
      fc.integer({ min: 0, max: 0x10ffff }).map((n) => String.fromCodePoint(n)),
    ),
  )
  .map((characters) => characters.join(""));
