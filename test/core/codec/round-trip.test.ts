import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cloudEventsBinary, createEvent, envelope } from "waybill";
import { formats, plain } from "./arbitrary-events.ts";
import { encode, roundTrip, wires } from "./wire.ts";

const runs = { numRuns: 1_000 };

describe.each(Object.entries(wires))("over %s", (name, wire) => {
  test.each(Object.entries(formats))(
    "%s mode carries every attribute",
    (_, { codec, events, arrives }) => {
      fc.assert(
        fc.property(events(name === "http"), (event) => {
          expect(plain(roundTrip(codec, event, wire))).toEqual(arrives(event));
        }),
        runs,
      );
    },
    60_000,
  );

  const noBodyIsEmpty = name === "nats" || name === "http";
  test(`an event without data, of a type other than JSON, ${noBodyIsEmpty ? "has empty data" : "stays one"}`, () => {
    const [asString, asBytes] = ["text/plain", "image/png"].map((datacontenttype) =>
      roundTrip(cloudEventsBinary(), createEvent({ type: "t", source: "/s", datacontenttype }), wire),
    );
    expect(asString!.data).toBe(noBodyIsEmpty ? "" : undefined);
    expect(asBytes!.data).toEqual(noBodyIsEmpty ? new Uint8Array() : undefined);
  });
});

test.each(Object.entries(wires).filter(([, { binding }]) => binding.percentEncoded))(
  "over %s headers are printable ASCII, an attribute's without spaces",
  (name, { binding }) => {
    fc.assert(
      fc.property(formats.binary.events(name === "http"), (event) => {
        for (const [header, value] of encode(cloudEventsBinary(), event, binding).headers)
          expect(value).toMatch(header.startsWith("ce-") ? /^[!-~]*$/ : /^[ -~]*$/);
      }),
      runs,
    );
  },
  60_000,
);

test("what the envelope does not carry: that there is no data, that there is no time, an extension named timestamp", () => {
  const { time: _, ...bare } = createEvent({ type: "t", source: "/s", id: "1", extensions: { timestamp: "x" } });
  expect(plain(roundTrip(envelope(), bare, wires.kafka))).toEqual({
    id: "1",
    type: "t",
    source: "/s",
    time: "0001-01-01T00:00:00Z",
    data: {},
    extensions: {},
  });
});
