import { HTTP, Kafka, type KafkaMessage, CloudEvent as OfficialEvent } from "cloudevents";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CloudEvent,
  type Codec,
  cloudEventsBinary,
  cloudEventsStructured,
  createEvent,
  type EventInit,
} from "waybill";
import { decode, encode, type Pair, record, wires } from "./wire.ts";

// The official JavaScript SDK, 10.0.0, as the other side. Where it departs from the standard the departure is pinned:
// the test says so, and breaks when it is mended.

const time = "2026-01-02T03:04:05.123Z";
const base = { id: "1", source: "/s", type: "t", time };
const [binary, structured] = [cloudEventsBinary(), cloudEventsStructured()];

/** What the official package makes of an event that Waybill wrote. */
function theirsOverHttp(codec: Codec, event: CloudEvent): Record<string, unknown> {
  const { headers, body } = encode(codec, event, wires.http.binding);
  return { ...(HTTP.toEvent({ headers: record(headers), body }) as OfficialEvent) };
}

function theirsOverKafka(codec: Codec, event: CloudEvent): Record<string, unknown> {
  const { headers, body } = encode(codec, event, wires.kafka.binding);
  const message = { headers: record(headers), value: body, body, key: event.extensions.partitionkey };
  return { ...(Kafka.toEvent(message as unknown as KafkaMessage) as OfficialEvent) };
}

const pairs = (headers: Record<string, unknown>): Pair[] =>
  Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as Pair]));

/** What Waybill makes of an event that the official package wrote. */
function oursOverHttp(mode: "binary" | "structured", event: OfficialEvent<unknown>): CloudEvent {
  const { headers, body } = HTTP[mode](event);
  return decode(pairs(headers), (body as string | Uint8Array | undefined) ?? null, wires.http);
}

function oursOverKafka(mode: "binary" | "structured", event: OfficialEvent<unknown>): CloudEvent {
  const { headers, value } = Kafka[mode](event) as KafkaMessage;
  // It leaves the serialization of binary mode's data to the caller.
  const plain = typeof value === "string" || value instanceof Uint8Array || value === undefined;
  return decode(pairs(headers), plain ? ((value as string | Uint8Array) ?? null) : JSON.stringify(value), wires.kafka);
}

const ascii = fc.stringMatching(/^[!#$&-~]{1,12}$/);
const word = fc.stringMatching(/^[A-Za-z]{1,8}$/);
const data = fc.dictionary(word, fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null)));
const extension = fc.record({ myext: ascii, partitionkey: ascii }, { requiredKeys: ["partitionkey"] });
const common = fc.record(
  {
    id: ascii,
    source: fc.stringMatching(/^\/[A-Za-z0-9._~-]{0,10}$/),
    type: ascii,
    subject: ascii,
    data,
    extensions: extension,
  },
  { requiredKeys: ["id", "source", "type", "data", "extensions"] },
);
const runs = { numRuns: 300 };

describe("events that both sides can carry", () => {
  const sent = (given: Partial<EventInit>): CloudEvent =>
    createEvent({ ...base, datacontenttype: "application/json", ...given });
  const official = ({ extensions, ...attributes }: CloudEvent): OfficialEvent<unknown> =>
    new OfficialEvent({ ...attributes, ...extensions });

  test.each([
    ["HTTP binary", theirsOverHttp, binary],
    ["HTTP structured", theirsOverHttp, structured],
    ["Kafka binary", theirsOverKafka, binary],
    ["Kafka structured", theirsOverKafka, structured],
  ] as const)("arrive there by %s", (_, theirs, codec) => {
    fc.assert(
      fc.property(common, (given) => {
        const { extensions, ...attributes } = sent(given);
        expect(theirs(codec, sent(given))).toMatchObject({ specversion: "1.0", ...attributes, ...extensions });
      }),
      runs,
    );
  });

  test.each([
    ["HTTP binary", oursOverHttp, "binary"],
    ["HTTP structured", oursOverHttp, "structured"],
    // It writes ce_datacontenttype beside content-type, which the binding does not allow; both say the same.
    ["Kafka binary", oursOverKafka, "binary"],
    ["Kafka structured", oursOverKafka, "structured"],
  ] as const)("arrive here by %s", (_, ours, mode) => {
    fc.assert(
      fc.property(common, (given) => {
        const { extensions, ...attributes } = sent(given);
        const read = ours(mode, official(sent(given)));
        expect(read).toMatchObject(attributes);
        expect({ ...read.extensions }).toEqual({ ...extensions });
      }),
      runs,
    );
  });

  test("bytes arrive both ways by structured mode", () => {
    const bytes = new Uint8Array([0, 255, 1]);
    const event = createEvent({ ...base, data: bytes });
    // What it reads over HTTP is a Uint32Array of the same numbers.
    expect(Array.from(theirsOverHttp(structured, event).data as Uint32Array)).toEqual([0, 255, 1]);
    expect(theirsOverHttp(structured, event).data).toBeInstanceOf(Uint32Array);
    expect(theirsOverKafka(structured, event).data).toEqual(bytes);
    const theirs = new OfficialEvent({ ...base, data: bytes });
    expect(oursOverHttp("structured", theirs).data).toEqual(bytes);
    expect(oursOverKafka("structured", theirs).data).toEqual(bytes);
  });

  test("bytes arrive both ways by binary mode", () => {
    const bytes = new Uint8Array([0, 255, 1]);
    const typed = { ...base, data: bytes, datacontenttype: "application/octet-stream" };
    expect(theirsOverHttp(binary, createEvent(typed)).data).toEqual(bytes);
    expect(theirsOverKafka(binary, createEvent(typed)).data).toEqual(bytes);
    expect(oursOverHttp("binary", new OfficialEvent(typed)).data).toEqual(bytes);
    expect(oursOverKafka("binary", new OfficialEvent(typed)).data).toEqual(bytes);
  });
});

describe("where the official package departs from the standard", () => {
  test("it neither decodes nor encodes the headers of HTTP", () => {
    const event = createEvent({ ...base, subject: "Euro €", data: {} });
    expect(theirsOverHttp(binary, event).subject).toBe("Euro%20%E2%82%AC");
    const written = HTTP.binary(new OfficialEvent({ ...base, subject: "100%41" }));
    expect(written.headers["ce-subject"]).toBe("100%41"); // which everybody else reads as 100A
    const { subject } = decode(pairs(written.headers), null, wires.http);
    expect(subject).toBe("100A");
  });
  test("it reads JSON of numbers, booleans and null as strings in HTTP's binary mode", () => {
    for (const value of [1.5, true, null]) {
      expect(theirsOverHttp(binary, createEvent({ ...base, data: value })).data).toBe(JSON.stringify(value));
    }
  });
  test("it writes a JSON string without its quotes in binary mode, which is no JSON", () => {
    const event = new OfficialEvent({ ...base, data: "text", datacontenttype: "application/json" });
    expect(HTTP.binary(event).body).toBe("text");
    expect(() => oursOverHttp("binary", event)).toThrow(expect.objectContaining({ code: "malformed-message" }));
  });
  test("it leaves JSON of a media type with parameters, other than its own, as text", () => {
    const event = createEvent({ ...base, data: { a: 1 }, datacontenttype: "application/json; a=b" });
    expect(theirsOverHttp(binary, event).data).toBe('{"a":1}');
  });
  test("it takes structured mode over HTTP by two spellings of its media type alone", () => {
    const body = encode(structured, createEvent(base), wires.http.binding).body as string;
    const read = (type: string) => HTTP.toEvent({ headers: { "content-type": type }, body }) as OfficialEvent;
    expect(read("application/cloudevents+json").id).toBe("1"); // what Waybill writes
    expect(read("application/cloudevents+json; charset=utf-8").id).toBe("1");
    expect(() => read("application/cloudevents+json; charset=UTF-8")).toThrow(/invalid content type/);
    expect(() => read("application/cloudevents+json;charset=utf-8")).toThrow(/invalid content type/);
  });
  test("it cuts times to milliseconds", () => {
    const event = createEvent({ ...base, time: "2026-01-02T03:04:05.123456789Z", data: {} });
    expect(theirsOverHttp(structured, event).time).toBe("2026-01-02T03:04:05.123Z");
  });
  test("it loses data that is false, 0, empty or null in HTTP's structured mode", () => {
    for (const value of [false, 0, "", null]) {
      expect(theirsOverHttp(structured, createEvent({ ...base, data: value })).data).toBeUndefined();
    }
  });
  test("it refuses a Kafka tombstone", () => {
    expect(() => theirsOverKafka(binary, createEvent(base))).toThrow(/null or undefined/);
  });
});
