import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cloudEventsBinary, cloudEventsStructured, createEvent, envelope } from "waybill";
import { decode, encode, type Pair, type Wire, wires } from "./wire.ts";

const binary = (wire: Wire, id: string): Pair[] => {
  const { prefix } = wire.binding;
  return [
    [`${prefix}specversion`, "1.0"],
    [`${prefix}id`, id],
    [`${prefix}source`, "/s"],
    [`${prefix}type`, "t"],
  ];
};
const json = (members: object): string => JSON.stringify({ id: "body", source: "/s", type: "t", ...members });
const structured = json({ specversion: "1.0" });
const enveloped = json({ timestamp: "2026-01-02T03:04:05Z", data: {} });
const type = (value: string, name = "Content-Type"): Pair => [name, value];
const malformed = expect.objectContaining({ code: "malformed-message" });

describe.each(Object.entries<Wire>(wires))("on %s", (_, wire) => {
  const read = (headers: Pair[], body: string | null): string => decode(headers, body, wire).id;

  test.each([
    "application/cloudevents+json",
    "application/cloudevents+json; charset=UTF-8",
    "application/cloudevents+json;charset=utf-8",
    "Application/CloudEvents+JSON",
    "application/cloudevents",
    "application/cloudevents ; a=b",
  ])("%s is structured", (value) => {
    expect(read([type(value)], structured)).toBe("body");
    expect(read([type(value, "content-type")], structured)).toBe("body");
    expect(read([type(value, "CONTENT-TYPE")], structured)).toBe("body");
    expect(() => read([type(value)], enveloped)).toThrow(malformed);
  });
  test("headers of binary mode count before the body", () => {
    expect(read(binary(wire, "headers"), structured)).toBe("headers");
    expect(read(binary(wire, "headers"), enveloped)).toBe("headers");
  });
  test("specversion in the body is structured without any header, as Go's SDK writes to NATS", () => {
    expect(read([], structured)).toBe("body");
    expect(read([type("application/json")], structured)).toBe("body");
  });
  test("specversion counts before what makes an envelope", () => {
    const both = json({ specversion: "1.0", timestamp: "2026-01-02T03:04:05Z" });
    expect(decode([], both, wire)).toMatchObject({ extensions: { timestamp: "2026-01-02T03:04:05Z" } });
  });
  test("id, type and timestamp are an envelope", () => {
    expect(read([], enveloped)).toBe("body");
    expect(decode([], enveloped, wire).time).toBe("2026-01-02T03:04:05Z");
  });
  test.each(["application/cloudevents-batch+json", "Application/CloudEvents-Batch+JSON; charset=utf-8"])(
    "%s is refused as a batch",
    (value) => {
      expect(() => read([type(value), ...binary(wire, "1")], `[${structured}]`)).toThrow(/batches/);
    },
  );
  test.each(["application/cloudevents+avro", "application/cloudevents+protobuf", "application/cloudeventsx"])(
    "%s is refused as a format",
    (value) => {
      expect(() => read([type(value)], structured)).toThrow(/no format/);
    },
  );
  test("headers that repeat the body's attributes are fine, and ones of another event are refused", () => {
    const header = type("application/cloudevents+json");
    expect(read([header, ...binary(wire, "body")], structured)).toBe("body");
    expect(() => read([header, ...binary(wire, "headers")], structured)).toThrow(/different events/);
    expect(() => read([header, [`${wire.binding.prefix}type`, "admin"]], structured)).toThrow(/different events/);
  });
  test("a byte order mark before JSON is passed over", () => {
    expect(read([], `\ufeff${structured}`)).toBe("body");
    expect(decode(binary(wire, "1"), '\ufeff{"a":1}', wire).data).toEqual({ a: 1 });
  });
  test("data may nest 64 deep in every format, and no deeper", () => {
    const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
    for (const codec of [cloudEventsBinary(), cloudEventsStructured(), envelope()]) {
      const sent = (depth: number) =>
        encode(codec, createEvent({ type: "t", source: "/s", data: nested(depth) }), wire.binding);
      const fits = sent(64);
      const deep = sent(65);
      expect(decode(fits.headers, fits.body, wire).data).toEqual(nested(64));
      expect(() => decode(deep.headers, deep.body, wire)).toThrow(/nests deeper/);
    }
  });
});

test("an event as the data of a binary-mode event is never taken for the event itself", () => {
  const outer = createEvent({
    type: "letter",
    source: "/s",
    data: JSON.parse(structured),
    datacontenttype: "application/cloudevents+json",
  });
  // NATS says the type of the data among the attributes; elsewhere it is the message's own, which would be structured.
  for (const name of ["nats", "memory"] as const) {
    const { headers, body } = encode(cloudEventsBinary(), outer, wires[name].binding);
    expect(decode(headers, body, wires[name])).toMatchObject({ type: "letter", data: { id: "body" } });
  }
  for (const name of ["kafka", "http"] as const) {
    const { headers, body } = encode(cloudEventsBinary(), outer, wires[name].binding);
    expect(() => decode(headers, body, wires[name])).toThrow(/different events/);
  }
  for (const wire of Object.values<Wire>(wires)) {
    const { headers, body } = encode(cloudEventsStructured(), outer, wire.binding);
    expect(decode(headers, body, wire)).toMatchObject({ type: "letter", data: { id: "body" } });
  }
});

test("whatever arrives is an event or refused with a code, on every transport", () => {
  const names = [
    "specversion",
    "id",
    "source",
    "type",
    "timestamp",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
  ];
  const member = fc.constantFrom(...names, "data", "data_base64", "trace_id", "span_id", "traceparent", "toString");
  const trap = fc.constantFrom<unknown>(
    { toString: {} },
    { toString: 1, valueOf: 1 },
    [[]],
    null,
    "1.0",
    "2026-01-02T03:04:05Z",
    "a/json",
  );
  const document = fc.dictionary(member, fc.oneof(trap, trap, fc.jsonValue({ maxDepth: 2 })));
  const body = fc.oneof(
    document.map((members) => JSON.stringify(members)),
    fc.string(),
    fc.uint8Array(),
    fc.constant(null),
  );
  const header = fc.tuple(
    fc.oneof(
      fc.constantFrom("content-type", "traceparent"),
      fc.constantFrom(...names).map((name) => `ce-${name}`),
    ),
    fc.oneof(
      fc.constantFrom("application/cloudevents+json", "1.0", "%ff", "text/plain", "a/json"),
      fc.stringMatching(/^[ -~]{0,9}$/),
    ),
  );
  fc.assert(
    fc.property(
      fc.array(header, { maxLength: 6 }),
      body,
      fc.constantFrom(...Object.values<Wire>(wires)),
      (given, content, wire) => {
        const headers = given.map(([name, value]): Pair => [name.replace("ce-", wire.binding.prefix), value]);
        try {
          expect(decode(headers, content, wire).id).not.toBe("");
        } catch (error) {
          expect(error).toMatchObject({ code: "malformed-message" });
        }
      },
    ),
    { numRuns: 5_000 },
  );
}, 60_000);
