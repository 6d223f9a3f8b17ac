import { type Baggage, baggageEntryMetadataFromString, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { w3cBaggage } from "waybill";
import { anyText, type HeaderList, listGetter, recordSetter } from "./headers.ts";

type Options = Parameters<typeof w3cBaggage>[0];
type Entry = readonly [key: string, value: string, properties?: string];

function read(headers: string | HeaderList, options?: Options): Entry[] {
  const list = typeof headers === "string" ? [["baggage", headers] as const] : headers;
  const context = w3cBaggage(options).extract(ROOT_CONTEXT, list, listGetter);
  return (propagation.getBaggage(context)?.getAllEntries() ?? []).map(([key, { value, metadata }]) =>
    metadata ? [key, value, metadata.toString()] : [key, value],
  );
}

function baggageOf(entries: readonly Entry[]): Baggage {
  return entries.reduce(
    (baggage, [key, value, properties]) =>
      baggage.setEntry(key, {
        value,
        ...(properties !== undefined && { metadata: baggageEntryMetadataFromString(properties) }),
      }),
    propagation.createBaggage(),
  );
}

function write(entries: readonly Entry[], options?: Options): string | undefined {
  const carrier: Record<string, string> = {};
  w3cBaggage(options).inject(propagation.setBaggage(ROOT_CONTEXT, baggageOf(entries)), carrier, recordSetter);
  return carrier.baggage;
}

const awkward = "\t \"';=asdf!@#$%^&*()";
const encoded = "%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29";
const some = (properties?: string): Entry[] => [
  properties ? ["SomeKey", "SomeValue", properties] : ["SomeKey", "SomeValue"],
];
const two = (first: string, second: string): Entry[] => [...some(first), ["SomeKey2", "SomeValue2", second]];

// Properties are one opaque text in OpenTelemetry's API: they are told apart by their reader, and not decoded.
describe("the official parsing cases of W3C Baggage (test/test_baggage.py)", () => {
  test.each<[string, string, Entry[]]>([
    ["test_parse_simple", "SomeKey=SomeValue", some()],
    ["test_parse_simple_ows", "SomeKey \t = \t SomeValue \t ", some()],
    [
      "test_parse_multiple",
      "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal",
      two("SomeProp", "ValueProp=PropVal"),
    ],
    [
      "test_parse_multiple_ows",
      "SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2 \t ; \t ValueProp \t = \t PropVal",
      two("SomeProp", "ValueProp=PropVal"),
    ],
    [
      "test_parse_multiple_kv_property",
      "SomeKey=SomeValue;SomePropKey=SomePropValue,SomeKey2=SomeValue2;SomePropKey2=SomePropValue2",
      two("SomePropKey=SomePropValue", "SomePropKey2=SomePropValue2"),
    ],
    [
      "test_parse_multiple_kv_property_ows",
      "SomeKey \t = \t SomeValue \t ; \t SomePropKey=SomePropValue \t , \t SomeKey2 \t = \t SomeValue2 \t ; \t SomePropKey2 \t = \t SomePropValue2",
      two("SomePropKey=SomePropValue", "SomePropKey2=SomePropValue2"),
    ],
    ["test_parse_multiple_equals", "SomeKey=SomeValue=equals", [["SomeKey", "SomeValue=equals"]]],
    ["test_parse_percent_encoded", `SomeKey=${encoded}`, [["SomeKey", awkward]]],
    ["test_parse_percent_encoded_ows", `SomeKey \t = \t ${encoded} \t `, [["SomeKey", awkward]]],
    ["test_parse_property", "SomeKey=SomeValue;SomeProp", some("SomeProp")],
    ["test_parse_property_ows", "SomeKey \t = \t SomeValue \t ; \t SomeProp", some("SomeProp")],
    [
      "test_parse_multi_property",
      "SomeKey=SomeValue;SomeProp;SecondProp=PropValue",
      some("SomeProp;SecondProp=PropValue"),
    ],
    [
      "test_parse_multi_property_ows",
      "SomeKey \t = \t SomeValue \t ; \t SomeProp \t ; \t SecondProp \t = \t PropValue",
      some("SomeProp;SecondProp=PropValue"),
    ],
    [
      "test_parse_multiple_properties_same_name",
      "SomeKey=SomeValue;SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue",
      some("SomeProp;SomeProp=PropValue;SomeProp=AnotherPropValue"),
    ],
    ["test_parse_kv_property", "SomeKey=SomeValue;SomePropKey=SomePropValue", some("SomePropKey=SomePropValue")],
    [
      "test_parse_kv_property_ows",
      "SomeKey \t = \t SomeValue \t ; \t SomePropKey \t = \t SomePropValue",
      some("SomePropKey=SomePropValue"),
    ],
    ["test_parse_percent_encoded_property", `SomeKey=SomeValue;SomePropKey=${encoded}`, some(`SomePropKey=${encoded}`)],
    [
      "test_parse_property_without_value_no_percent_decoding",
      "SomeKey=SomeValue;ValueProp%20%09%20%3D%20%09%20PropVal",
      some("ValueProp%20%09%20%3D%20%09%20PropVal"),
    ],
  ])("%s", (_, header, entries) => {
    expect(read(header)).toEqual(entries);
    // What was read goes on to the next hop, and means the same there.
    expect(read(write(entries)!)).toEqual(entries);
  });
  test("test_ctor_default: no baggage is no header", () => {
    expect(read([])).toEqual([]);
    expect(write([])).toBeUndefined();
  });
  test("test_parse_percent_encoded: what must be encoded is, and what need not be stays", () => {
    // The official implementation also encodes '=!@#$^&*(), which the grammar lets stand.
    expect(write([["SomeKey", awkward]])).toBe("SomeKey=%09%20%22'%3B=asdf!@#$%25^&*()");
  });
});

describe("beyond the official cases", () => {
  test.each<[string, string, Entry[]]>([
    [
      "keys are not decoded and keep their case",
      "%41=1,a=2,A=3",
      [
        ["%41", "1"],
        ["a", "2"],
        ["A", "3"],
      ],
    ],
    ["bytes that are no UTF-8 become U+FFFD", "k=a%C0%A0b%ff", [["k", "a\ufffd\ufffdb\ufffd"]]],
    ["lower-case hex and a lone percent sign are read", "k=%e2%82%ac%zz%", [["k", "€%zz%"]]],
    ["a byte order mark is a character", "k=%EF%BB%BFx", [["k", "\ufeffx"]]],
    [
      "an empty value counts",
      "k=,l=1",
      [
        ["k", ""],
        ["l", "1"],
      ],
    ],
    ["members that are none are passed over", ',=1,noequals,a b=1,k=v,"q"=1', [["k", "v"]]],
    ["the last of equal keys counts", "k=1,k=2", [["k", "2"]]],
  ])("%s", (_, header, entries) => {
    expect(read(header)).toEqual(entries);
  });
  test("several headers are one list", () => {
    expect(
      read([
        ["baggage", "a=1"],
        ["Baggage", "b=2,c=3"],
      ]),
    ).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
  });
});

describe("the official limits", () => {
  const members = (n: number): Entry[] => Array.from({ length: n }, (_, i) => [`key${i}`, "value"]);
  const text = (entries: readonly Entry[]): string => entries.map(([key, value]) => `${key}=${value}`).join(",");

  test("test_serialize_at_least_64: 64 members travel both ways", () => {
    expect(write(members(64))!.split(",")).toHaveLength(64);
    expect(read(text(members(64)))).toEqual(members(64));
  });
  test("64 members of 8,192 bytes together travel both ways", () => {
    const full: Entry[] = Array.from({ length: 64 }, (_, i) => [`k${i + 10}`, "v".repeat(i === 63 ? 124 : 123)]);
    expect(text(full)).toHaveLength(8192);
    expect(write(full)).toBe(text(full));
    expect(read(text(full))).toEqual(full);
  });
  test("test_serialize_long_entry: one entry of 8,192 bytes travels both ways", () => {
    const long: Entry[] = [["a", "0123456789".repeat(819)]];
    expect(write(long)).toHaveLength(8192);
    expect(read(text(long))).toEqual(long);
  });
  test("test_serialize_many_entries: as many as fit travel when the limit allows it", () => {
    const many: Entry[] = Array.from({ length: 512 }, (_, i) => [String(i).padStart(3, "0"), "0123456789a"]);
    expect(write(many, { maxMembers: 512 })).toHaveLength(8191);
    expect(read(text(many), { maxMembers: 512 })).toHaveLength(512);
  });
  test("members beyond the limits are left out whole, from the end", () => {
    expect(write(members(181))!.split(",")).toEqual(text(members(180)).split(","));
    expect(read(text(members(181)))).toEqual(members(180));
    const [a, b]: Entry[] = [
      ["a", "v".repeat(8000)],
      ["b", "v".repeat(200)],
    ];
    expect(write([a!, b!])).toBe(text([a!]));
    expect(read(text([a!, b!]))).toEqual([a]);
    expect(write(members(3), { maxBytes: 22 })).toBe("key0=value,key1=value");
    expect(read(text(members(3)), { maxBytes: 22 })).toEqual(members(2));
    expect(read(text(members(3)), { maxBytes: 32 })).toEqual(members(3));
  });
});

describe("hostile input", () => {
  test("what could not stand in a header, or would forge a member, is left out", () => {
    const entries: Entry[] = [
      ["a b", "1"],
      ["", "1"],
      ["é", "1"],
      ["p", "1", "x\r\nNats-Msg-Id: 1"],
      ["q", "1", "x,admin=true"],
      ["ok", "a,b;c=d\r\n", "x=1"],
    ];
    expect(write(entries)).toBe("ok=a%2Cb%3Bc=d%0D%0A;x=1");
    expect(write([["a b", "1"]])).toBeUndefined();
  });
  test("lone surrogates become U+FFFD", () => {
    expect(write([["k", "a\ud800b"]])).toBe("k=a%EF%BF%BDb");
  });
  test("a key named __proto__ is a key like any other", () => {
    expect(read("__proto__=1,constructor=2")).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
    expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
    expect(write([["__proto__", "x"]])).toBe("__proto__=x");
  });
  test("no input makes reading throw or pass the limits", () => {
    const piece = fc.oneof(anyText, fc.constantFrom(",", ";", "=", "%", "%C0%A0", "%ff", " \t", "k=v", "k"));
    fc.assert(
      fc.property(
        fc.array(
          fc.array(piece).map((pieces) => pieces.join("")),
          { maxLength: 4 },
        ),
        (values) => {
          const entries = read(
            values.map((value) => ["baggage", value] as const),
            { maxMembers: 3, maxBytes: 64 },
          );
          expect(entries.length).toBeLessThanOrEqual(3);
          for (const [key] of entries) expect(key).toMatch(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
        },
      ),
      { numRuns: 2000 },
    );
  }, 60_000);
});

const wellFormed = (text: string): string => text.replace(/\p{Cs}/gu, "\ufffd");

test("any values survive a round trip in ASCII", () => {
  const key = fc.stringMatching(/^[!#$%&'*+.^_`|~A-Za-z-][!#$%&'*+.^_`|~0-9A-Za-z-]{0,9}$/);
  const value = fc.oneof(anyText, fc.string({ unit: fc.constantFrom(...' "\\,;=%€😀\u0000\ufeff%41') }));
  const entry = fc.tuple(key, value, fc.constantFrom(undefined, "p", "p=1;q=%20"));
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: ([name]) => name, maxLength: 8 }), (given) => {
      const entries = given.map(
        ([name, text, properties]): Entry =>
          properties === undefined ? [name, wellFormed(text)] : [name, wellFormed(text), properties],
      );
      const header = write(entries, { maxBytes: 65_536 }) ?? "";
      expect(header).toMatch(/^[!-~]*$/);
      expect(read(header, { maxBytes: 65_536 })).toEqual(entries);
    }),
    { numRuns: 2000 },
  );
}, 60_000);
