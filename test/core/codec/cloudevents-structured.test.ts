import { describe, expect, test } from "vitest";
import { type CloudEvent, cloudEventsStructured, createEvent, type EventInit } from "waybill";
import { decode, encode, type Pair, roundTrip, wires } from "./wire.ts";

const codec = cloudEventsStructured();
const time = "2026-01-02T03:04:05.123456789Z";
const event = (init: Partial<EventInit> = {}): CloudEvent =>
  createEvent({ id: "1", source: "/s", type: "t", time, ...init });
const written = (init: Partial<EventInit>): Record<string, unknown> =>
  JSON.parse(encode(codec, event(init), wires.nats.binding).body as string);

const structured: Pair[] = [["Content-Type", "application/cloudevents+json"]];
const members = { specversion: "1.0", id: "1", source: "/s", type: "t" };
const read = (more: object): CloudEvent =>
  decode(structured, JSON.stringify({ ...members, time, ...more }), wires.nats);
const malformed = expect.objectContaining({ code: "malformed-message" });

describe("what is written", () => {
  test.each([
    ["nats", ["Content-Type", "application/cloudevents+json"]],
    ["memory", ["Content-Type", "application/cloudevents+json"]],
    ["kafka", ["content-type", "application/cloudevents+json; charset=UTF-8"]],
    ["http", ["content-type", "application/cloudevents+json"]],
  ] as const)("%s: the one header %j", (name, header) => {
    const full = event({ data: 1, datacontenttype: "text/json", extensions: { partitionkey: "k" } });
    expect(encode(codec, full, wires[name].binding).headers).toEqual([header]);
  });
  test("every attribute is a member, extensions with their own type", () => {
    const init = {
      subject: "Euro € 😀",
      dataschema: "https://s/1",
      datacontenttype: "application/json",
      data: { a: 1 },
      extensions: { partitionkey: "k", n: -7, flag: false, text: "7" },
    };
    const { extensions, ...attributes } = init;
    expect(written(init)).toEqual({ ...members, time, ...attributes, ...extensions });
  });
  test.each<[string, Partial<EventInit>, object]>([
    ["no data is no member", {}, {}],
    ["null is a member", { data: null }, { data: null }],
    ["JSON stands as it is", { data: { a: [1, "é"] } }, { data: { a: [1, "é"] } }],
    ["JSON of a suffix too", { data: [1], datacontenttype: "application/x+json" }, { data: [1] }],
    ["a string of JSON stays a string", { data: '{"a":1}' }, { data: '{"a":1}' }],
    ["text of another type is a string", { data: "<a/>", datacontenttype: "application/xml" }, { data: "<a/>" }],
    ["bytes are base64", { data: new Uint8Array([0, 255, 1]) }, { data_base64: "AP8B" }],
    ["bytes of JSON are base64", { data: new Uint8Array([49]), datacontenttype: "a/json" }, { data_base64: "MQ==" }],
    ["empty bytes are base64", { data: new Uint8Array() }, { data_base64: "" }],
  ])("%s", (_, init, expected) => {
    const { datacontenttype } = init;
    expect(written(init)).toEqual({ ...members, time, ...(datacontenttype && { datacontenttype }), ...expected });
  });
  test.each<[string, Partial<EventInit>]>([
    ["an object of a type other than JSON", { data: { a: 1 }, datacontenttype: "text/plain" }],
    ["null of a type other than JSON", { data: null, datacontenttype: "text/plain" }],
    ["a function", { data: () => 1 }],
    ["a symbol", { data: Symbol("s") }],
    ["an object that has no JSON", { data: { toJSON: () => undefined } }],
  ])("%s is refused", (_, init) => {
    expect(() => written(init)).toThrow(expect.objectContaining({ code: "invalid-data" }));
  });
});

describe("what is read", () => {
  test("null leaves an attribute out, but is a value of data", () => {
    const { extensions, ...attributes } = read({ subject: null, dataschema: null, comext: null, data: null });
    expect(attributes).toEqual({ id: "1", source: "/s", type: "t", time, data: null });
    expect(Object.keys(extensions)).toEqual([]);
  });
  test("an event without data has none, and is frozen", () => {
    const bare = read({});
    expect(bare.data).toBeUndefined();
    expect(Object.isFrozen(bare) && Object.isFrozen(bare.extensions)).toBe(true);
  });
  test.each<[string, object, unknown]>([
    ["JSON without a type", { data: { a: 1 } }, { a: 1 }],
    ["a string without a type, not parsed once more", { data: '{"a":1}' }, '{"a":1}'],
    ["a string of JSON, not parsed once more", { data: "[1]", datacontenttype: "application/json" }, "[1]"],
    ["text", { data: "<a/>", datacontenttype: "application/xml" }, "<a/>"],
    ["null of another type, which can only mean none", { data: null, datacontenttype: "text/plain" }, undefined],
    ["base64", { data_base64: "AP8B" }, new Uint8Array([0, 255, 1])],
    ["base64 of JSON as bytes", { data_base64: "MQ==", datacontenttype: "application/json" }, new Uint8Array([49])],
    ["null beside base64", { data_base64: null, data: 1 }, 1],
  ])("%s", (_, more, data) => {
    expect(read(more).data).toEqual(data);
  });
  test("nothing is assumed about the type of base64", () => {
    expect(read({ data_base64: "e30=" }).datacontenttype).toBeUndefined();
  });
  test.each<[string, object]>([
    ["data beside base64", { data: 1, data_base64: "AP8B" }],
    ["null as data beside base64", { data: null, data_base64: "AP8B" }],
    ["base64 that is none", { data_base64: "AP8" }],
    ["base64 that is no string", { data_base64: 1 }],
    ["an object of a type other than JSON", { data: {}, datacontenttype: "text/plain" }],
    ["a number as id", { id: 1 }],
    ["an empty type", { type: "" }],
    ["no source", { source: null }],
    ["a time that is none", { time: "noon" }],
    ["a number as media type", { datacontenttype: 1 }],
    ["an object as extension", { comext: {} }],
    ["a fraction as extension", { comext: 1.5 }],
    ["an integer beyond 32 bits as extension", { comext: 2 ** 31 }],
    ["an extension in upper case", { comExt: "x" }],
    ["an extension with an underscore", { com_ext: "x" }],
    ["a control character", { subject: "a\u0000" }],
    ["version 0.3", { specversion: "0.3" }],
    ["version 2.0", { specversion: "2.0" }],
    ["a number as version", { specversion: 1 }],
    ["no version", { specversion: null }],
  ])("%s is refused", (_, more) => {
    expect(() => read(more)).toThrow(malformed);
  });
  test.each([null, "", "{", "[]", "1", "null", '"x"', new Uint8Array([0x7b, 0xff, 0x7d])])(
    "the body %j is refused",
    (body) => {
      expect(() => decode(structured, body, wires.kafka)).toThrow(malformed);
    },
  );
  test("names of Object.prototype are extensions like any other, and nothing is polluted", () => {
    const { extensions } = read({ constructor: "x" });
    expect(extensions.constructor).toBe("x");
    expect(Object.getPrototypeOf(extensions)).toBeNull();
    expect(read({}).extensions.constructor).toBeUndefined();
    const body = JSON.stringify({ ...members, data: { a: 1 } }).replace('"a"', '"\\u005f_proto__"');
    expect(() => decode(structured, body, wires.nats)).toThrow(/__proto__/);
  });
});

test("an event of implied JSON gets its media type where another format has to say it", () => {
  const implied = read({ data: "I'm just a string" });
  expect(implied.datacontenttype).toBeUndefined();
  expect(roundTrip(codec, implied, wires.kafka).datacontenttype).toBeUndefined();
});
