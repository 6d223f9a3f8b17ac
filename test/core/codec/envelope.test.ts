import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CloudEvent, createEvent, createEventBus, type EventError, type EventInit, envelope } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { pairHeaders } from "../../../adapters/memory/headers.ts";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";

const nats = { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true };
const span = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
/** What `json.Marshal` makes of the guide's struct. */
const guide =
  '{"id":"evt-1","type":"order.created","source":"order-service","timestamp":"2026-01-02T03:04:05.123456789Z",' +
  '"data":{"amount":99.5,"order_id":"o-1"},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}';
const bare = '{"id":"1","type":"t","source":"/s","timestamp":"2026-01-02T03:04:05Z","data":{}}';

function decode(body: string | null, headers: [string, string][] = []): CloudEvent {
  const bytes = body === null ? null : new TextEncoder().encode(body);
  return decodeMessage({ destination: "d", headers: pairHeaders(headers), body: bytes }, nats, defaultLimits);
}

function encode(event: CloudEvent, by?: typeof span): string {
  return envelope().encode(event, nats, [], by) as string;
}

const event = (init: Partial<EventInit>): CloudEvent =>
  createEvent({ id: "1", type: "t", source: "/s", time: "2026-01-02T03:04:05Z", ...init });
const withMembers = (members: object): string => JSON.stringify({ ...JSON.parse(bare), ...members });
const malformed = expect.objectContaining({ code: "malformed-message" });

describe("the guide's JSON", () => {
  test("is written byte for byte", () => {
    const { id, type, source } = JSON.parse(guide);
    const time = "2026-01-02T03:04:05.123456789Z";
    const data = { amount: 99.5, order_id: "o-1" };
    expect(encode(createEvent({ id, type, source, time, data }), span)).toBe(guide);
  });
  test("is read with every digit of its nanoseconds", () => {
    const read = decode(guide);
    expect(read).toMatchObject({ id: "evt-1", type: "order.created", source: "order-service" });
    expect(read.time).toBe("2026-01-02T03:04:05.123456789Z");
    expect(read.data).toEqual({ amount: 99.5, order_id: "o-1" });
    expect(read.extensions.traceparent).toBe(`00-${span.traceId}-${span.spanId}-01`);
    expect(Object.isFrozen(read) && Object.isFrozen(read.extensions)).toBe(true);
  });
  test("without a span has no trace ids", () => {
    expect(encode(event({ data: {} }))).toBe(bare);
  });
  test("with no time is Go's zero time", () => {
    const { time: _, ...timeless } = event({ data: {} });
    expect(JSON.parse(encode(timeless)).timestamp).toBe("0001-01-01T00:00:00Z");
    expect(decode(withMembers({ timestamp: "0001-01-01T00:00:00Z" })).id).toBe("1");
  });
  test.each([
    ["absent", {}],
    ["empty", { trace_id: "", span_id: "" }],
    ["null", { trace_id: null, span_id: null }],
    ["half there", { trace_id: span.traceId }],
    ["all zero", { trace_id: "0".repeat(32), span_id: "0".repeat(16) }],
    ["zero for the span", { trace_id: span.traceId, span_id: "0".repeat(16) }],
    ["zero for the trace", { trace_id: "0".repeat(32), span_id: span.spanId }],
    ["in upper case", { trace_id: span.traceId.toUpperCase(), span_id: span.spanId }],
    ["too short", { trace_id: span.traceId.slice(1), span_id: span.spanId }],
    ["no text", { trace_id: 1, span_id: {} }],
    ["objects that cannot become text", { trace_id: { toString: 1, valueOf: 1 }, span_id: { toString: {} } }],
  ])("names no trace when the ids are %s", (_, ids) => {
    expect(decode(withMembers(ids)).extensions.traceparent).toBeUndefined();
  });
});

describe("data", () => {
  test.each([null, "text", 7, true, [1], new Uint8Array(1)])("%j is refused: it must be an object", (data) => {
    expect(() => encode(event({ data }))).toThrow(expect.objectContaining({ code: "invalid-data" }));
  });
  test("that is absent is written as an empty object", () => {
    expect(encode(event({}))).toBe(bare);
  });
  test("of Go's nil map is no data", () => {
    expect(decode(withMembers({ data: null })).data).toBeUndefined();
  });
});

describe("members beyond the guide's", () => {
  const others = {
    version: 3,
    user_id: "u-1",
    nested: { a: [1, { b: null }] },
    ratio: 0.5,
    none: null,
    time: "noon",
    subject: "",
    big: 1_700_000_000_000,
    note: "a\u0085b\uffff\u{1fffe}\n é 😀",
    lone: "\ud800",
    specversion: 1,
    envelopemembers: "mine",
    constructor: "c",
  };
  test("survive being read and written", () => {
    expect(JSON.parse(encode(decode(withMembers(others))))).toEqual(JSON.parse(withMembers(others)));
  });
  test("do not hide the guide's own", () => {
    expect(decode(withMembers(others)).time).toBe("2026-01-02T03:04:05Z");
    const forged = event({ data: {}, extensions: { timestamp: "x", envelopemembers: '{"id":"forged","a":1}' } });
    expect(JSON.parse(encode(forged))).toEqual({ ...JSON.parse(bare), a: 1 });
  });
  test("that are CloudEvents attributes become them, and the other way round", () => {
    const attributes = { subject: "o-1", dataschema: "https://s/1", datacontenttype: "application/json" };
    const read = decode(withMembers({ ...attributes, partitionkey: "k", flag: true }));
    expect(read).toMatchObject({ ...attributes, extensions: { partitionkey: "k", flag: true } });
    expect(JSON.parse(encode(read))).toMatchObject({ ...attributes, partitionkey: "k", flag: true });
  });
  test("whatever they are survive, and reading never fails on them", () => {
    const name = fc.string({ unit: fc.constantFrom(..."ab_-Z€") }).filter((each) => each !== "");
    const members = fc.dictionary(name, fc.jsonValue({ maxDepth: 2, stringUnit: "grapheme" }), { maxKeys: 4 });
    fc.assert(
      fc.property(members, (given) => {
        const text = withMembers(given);
        fc.pre(!text.includes("__proto__"));
        expect(JSON.parse(encode(decode(text)))).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  }, 60_000);
});

describe("what is no envelope", () => {
  test.each(["id", "type", "timestamp"])("JSON without %s is refused", (name) => {
    const { [name]: _, ...rest } = JSON.parse(bare);
    expect(() => decode(JSON.stringify(rest))).toThrow(/neither/);
  });
  test.each(["[]", "1", "null", '"x"', "{}", ""])("%j is refused", (body) => {
    expect(() => decode(body)).toThrow(/neither/);
  });
  test("a tombstone without headers is refused", () => {
    expect(() => decode(null)).toThrow(malformed);
  });
  test.each([
    ["a number as id", { id: 1 }],
    ["an empty type", { type: "" }],
    ["no source", { source: undefined }],
    ["a time that is none", { timestamp: "yesterday" }],
    ["a number as time", { timestamp: 1_767_225_600 }],
  ])("%s is refused", (_, members) => {
    expect(() => decode(withMembers(members))).toThrow(malformed);
  });
  test("headers of CloudEvents count before what the body looks like", () => {
    const headers = [
      ["ce-specversion", "1.0"],
      ["ce-id", "2"],
      ["ce-source", "/h"],
      ["ce-type", "h"],
    ] as [string, string][];
    expect(decode(guide, headers)).toMatchObject({ id: "2", type: "h", data: JSON.parse(guide) });
    expect(decode(guide, [["Content-Type", "application/json"]])).toMatchObject({ id: "evt-1" });
  });
});

describe("between services", () => {
  function setUp() {
    const clock = fakeClock();
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    const transport = memoryTransport({ clock, partitions: 1 });
    const bus = createEventBus({
      source: "/ts",
      transports: { memory: transport },
      clock,
      tracerProvider,
      codec: envelope(),
    });
    const errors: EventError[] = [];
    bus.onError((error) => errors.push(error));
    return { clock, exporter, tracerProvider, transport, bus, errors };
  }

  test("a Go peer that reads only trace_id and span_id continues the trace", async () => {
    const { bus, clock, exporter, tracerProvider, transport } = setUp();
    await bus.publish("order.created", { order_id: "o-1" });
    const sent: { body: string; headers: readonly string[] }[] = [];
    for await (const { body, headers } of transport.read!({ destination: "order.created" })) {
      sent.push({ body: new TextDecoder().decode(body!), headers: headers.getAll("traceparent") });
    }
    const published = exporter.getFinishedSpans()[0]!.spanContext();
    const { trace_id, span_id } = JSON.parse(sent[0]!.body);
    expect({ trace_id, span_id }).toEqual({ trace_id: published.traceId, span_id: published.spanId });
    expect(sent[0]!.headers).toEqual([`00-${trace_id}-${span_id}-01`]);

    const go = tracerProvider.getTracer("go").startSpan("go");
    const ids = { trace_id: go.spanContext().traceId, span_id: go.spanContext().spanId };
    await bus.subscribe("order.paid", () => undefined, { group: "g" });
    await transport.publish([
      { destination: "order.paid", headers: [], body: withMembers({ type: "order.paid", ...ids }) },
    ]);
    await clock.advance(0);
    const processed = exporter.getFinishedSpans().find(({ name }) => name === "process order.paid")!;
    expect(processed.spanContext().traceId).toBe(ids.trace_id);
    expect(processed.parentSpanContext?.spanId).toBe(ids.span_id);
    expect(processed.links[0]!.context).toMatchObject({ traceId: ids.trace_id, spanId: ids.span_id });
  });

  test("a service without SDK passes its caller's trace on", async () => {
    const { bus, clock, transport } = setUp();
    const plain = createEventBus({ source: "/plain", transports: { memory: transport }, clock, codec: envelope() });
    const seen: string[] = [];
    await bus.subscribe("b", (_, { context }) => void seen.push(trace.getSpanContext(context)!.traceId), {
      group: "g",
    });
    await plain.subscribe("a", async (_, delivery) => void (await delivery.publish("b", {})), { group: "g" });
    const ids = { trace_id: span.traceId, span_id: span.spanId };
    await transport.publish([{ destination: "a", headers: [], body: withMembers({ type: "a", ...ids }) }]);
    await clock.advance(0);
    expect(seen).toEqual([span.traceId]);
  });

  test("unreadable messages are reported once each, and what follows is handled", async () => {
    const { bus, clock, errors, transport } = setUp();
    const seen: string[] = [];
    await bus.subscribe("t", ({ id }) => void seen.push(id), { group: "g" });
    const bodies = ["", "{", withMembers({ timestamp: "x" }), withMembers({ id: "good" })];
    for (const body of bodies) await transport.publish([{ destination: "t", headers: [], body }]);
    await clock.advance(60_000);
    expect(errors.map(({ code }) => code)).toEqual(["malformed-message", "malformed-message", "malformed-message"]);
    expect(seen).toEqual(["good"]);
  });
});
