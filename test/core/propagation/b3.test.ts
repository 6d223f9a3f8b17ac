import { type Context, context as contextApi, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { type B3Options, b3, createEventBus, w3cTraceContext } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { anyText, type HeaderList, listGetter, recordSetter } from "./headers.ts";

const traceId = "80f198ee56343ba864fe8b2a57d3eff7";
const spanId = "e457b5a2e4d86bd1";
const parentId = "05e3ac9a4f6e3b90";
const ids = `${traceId}-${spanId}`;

type Fields = Record<string, string>;
const list = (fields: Fields): HeaderList => Object.entries(fields);
const extract = (fields: Fields): Context => b3().extract(ROOT_CONTEXT, list(fields), listGetter);
const spanOf = (fields: Fields): SpanContext | undefined => trace.getSpanContext(extract(fields));

function inject(context: Context, options?: B3Options): Fields {
  const fields: Fields = {};
  b3(options).inject(context, fields, recordSetter);
  return fields;
}
const of = (span: SpanContext): Context => trace.setSpanContext(ROOT_CONTEXT, span);
/** What a service with a span of its own sends on. */
function child(fields: Fields, traceFlags: number, options?: B3Options): Fields {
  const received = extract(fields);
  return inject(trace.setSpanContext(received, { traceId, spanId: "a".repeat(16), traceFlags }), options);
}
const multi = (more: Fields = {}): Fields => ({ "X-B3-TraceId": traceId, "X-B3-SpanId": spanId, ...more });

describe("what is read", () => {
  test.each<[string, Fields, number]>([
    ["accept", { b3: `${ids}-1` }, 1],
    ["deny", { b3: `${ids}-0` }, 0],
    ["debug, which implies accept", { b3: `${ids}-d` }, 1],
    ["defer, which reads as not sampled", { b3: ids }, 0],
    ["accept with a parent", { b3: `${ids}-1-${parentId}` }, 1],
    ["white space around", { b3: ` ${ids}-1\t` }, 1],
    ["any case of the name", { B3: `${ids}-1` }, 1],
    ["several headers: accept", multi({ "X-B3-Sampled": "1" }), 1],
    ["several headers: deny", multi({ "X-B3-Sampled": "0" }), 0],
    ["several headers: true", multi({ "X-B3-Sampled": "true" }), 1],
    ["several headers: false", multi({ "X-B3-Sampled": "false" }), 0],
    ["several headers: debug", multi({ "X-B3-Flags": "1" }), 1],
    ["several headers: debug beside deny", multi({ "X-B3-Flags": "1", "X-B3-Sampled": "0" }), 1],
    ["several headers: another flag", multi({ "X-B3-Flags": "2", "X-B3-Sampled": "0" }), 0],
    ["several headers: defer", multi(), 0],
    ["several headers with a parent", multi({ "X-B3-ParentSpanId": parentId, "X-B3-Sampled": "1" }), 1],
    ["several headers in lower case", { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-sampled": "1" }, 1],
    ["the single header before the others", { b3: `${ids}-1`, ...multi({ "X-B3-Sampled": "0" }) }, 1],
  ])("%s", (_, fields, traceFlags) => {
    expect(spanOf(fields)).toEqual({ traceId, spanId, traceFlags, isRemote: true });
  });
  test("ids of 64 bits are padded on the left", () => {
    const padded = { traceId: `${"0".repeat(16)}${spanId}`, spanId };
    expect(spanOf({ b3: `${spanId}-${spanId}-1` })).toMatchObject(padded);
    expect(spanOf(multi({ "X-B3-TraceId": spanId }))).toMatchObject(padded);
    expect(inject(extract({ b3: `${spanId}-${spanId}-1` }))).toEqual({ b3: `${padded.traceId}-${spanId}-1` });
  });
  test("the first of repeated headers counts", () => {
    const headers: HeaderList = [
      ["b3", `${ids}-1`],
      ["b3", "0"],
    ];
    expect(trace.getSpanContext(b3().extract(ROOT_CONTEXT, headers, listGetter))).toMatchObject({ traceId });
  });

  test.each<[string, Fields]>([
    ["nothing", {}],
    ["an empty header", { b3: "" }],
    ["text", { b3: "x" }],
    ["a trace id alone", { b3: traceId }],
    ["upper case", { b3: `${ids.toUpperCase()}-1` }],
    ["a trace id of another length", { b3: `${traceId}0-${spanId}-1` }],
    ["a trace id of 24 digits", { b3: `${traceId.slice(8)}-${spanId}-1` }],
    ["a span id of another length", { b3: `${traceId}-${spanId}0-1` }],
    ["a trace id of zeros", { b3: `${"0".repeat(32)}-${spanId}-1` }],
    ["a short trace id of zeros", { b3: `${"0".repeat(16)}-${spanId}-1` }],
    ["a span id of zeros", { b3: `${traceId}-${"0".repeat(16)}-1` }],
    ["an unknown state", { b3: `${ids}-2` }],
    ["a state of words", { b3: `${ids}-true` }],
    ["a hyphen for the parent", { b3: `${ids}-1--` }],
    ["a parent without a state", { b3: `${ids}-${parentId}` }],
    ["more after the parent", { b3: `${ids}-1-${parentId}-1` }],
    ["an unusable single header before usable others", { b3: "x", ...multi({ "X-B3-Sampled": "1" }) }],
    ["several headers without a span id", { "X-B3-TraceId": traceId, "X-B3-Sampled": "1" }],
    ["several headers without a trace id", { "X-B3-SpanId": spanId, "X-B3-Sampled": "1" }],
    ["several headers with an empty state", multi({ "X-B3-Sampled": "" })],
    ["several headers with nonsense as state", multi({ "X-B3-Sampled": "yes" })],
    ["several headers with a name of Object.prototype as state", multi({ "X-B3-Sampled": "constructor" })],
    ["several headers in which the ids are upper case", multi({ "X-B3-SpanId": spanId.toUpperCase() })],
  ])("%s names no parent and stores nothing", (_, fields) => {
    expect(extract(fields)).toBe(ROOT_CONTEXT);
  });
});

describe("what is written", () => {
  const sampled = of({ traceId, spanId, traceFlags: 1 });
  const unsampled = of({ traceId, spanId, traceFlags: 2 });

  test("by default the single header, without the parent", () => {
    expect(inject(sampled)).toEqual({ b3: `${ids}-1` });
    expect(inject(unsampled)).toEqual({ b3: `${ids}-0` });
    expect(inject(extract({ b3: `${ids}-1-${parentId}` }))).toEqual({ b3: `${ids}-1` });
  });
  test("when asked several, in lower case, without the parent", () => {
    const fields = { "x-b3-traceid": traceId, "x-b3-spanid": spanId };
    expect(inject(sampled, { inject: "multi" })).toEqual({ ...fields, "x-b3-sampled": "1" });
    expect(inject(unsampled, { inject: "multi" })).toEqual({ ...fields, "x-b3-sampled": "0" });
    const received = extract(multi({ "X-B3-ParentSpanId": parentId, "X-B3-Sampled": "0" }));
    expect(inject(received, { inject: "multi" })).toEqual({ ...fields, "x-b3-sampled": "0" });
  });
  test("nothing without a legal span", () => {
    expect(inject(ROOT_CONTEXT)).toEqual({});
    expect(inject(of({ traceId: "0".repeat(32), spanId, traceFlags: 1 }))).toEqual({});
    expect(inject(of({ traceId: traceId.toUpperCase(), spanId, traceFlags: 1 }))).toEqual({});
  });
  test("debug stays with its trace, instead of accept", () => {
    expect(child({ b3: `${ids}-d` }, 1)).toEqual({ b3: `${traceId}-${"a".repeat(16)}-d` });
    expect(child(multi({ "X-B3-Flags": "1" }), 1, { inject: "multi" })).toEqual({
      "x-b3-traceid": traceId,
      "x-b3-spanid": "a".repeat(16),
      "x-b3-flags": "1",
    });
    const other = trace.setSpanContext(extract({ b3: `${ids}-d` }), { traceId: "b".repeat(32), spanId, traceFlags: 1 });
    expect(inject(other)).toEqual({ b3: `${"b".repeat(32)}-${spanId}-1` });
  });
  test("a decision left open is passed on as open, until a service with a span decides", () => {
    expect(inject(extract({ b3: ids }))).toEqual({ b3: ids });
    expect(inject(extract({ b3: ids }), { inject: "multi" })).toEqual({
      "x-b3-traceid": traceId,
      "x-b3-spanid": spanId,
    });
    expect(child({ b3: ids }, 1)).toEqual({ b3: `${traceId}-${"a".repeat(16)}-1` });
    expect(child({ b3: ids }, 0)).toEqual({ b3: `${traceId}-${"a".repeat(16)}-0` });
  });
  test.each<[string, Fields, Fields]>([
    ["deny", { b3: "0" }, { "x-b3-sampled": "0" }],
    ["accept", { b3: "1" }, { "x-b3-sampled": "1" }],
    ["debug", { b3: "d" }, { "x-b3-flags": "1" }],
  ])("%s without ids is passed on, and yields to a span", (_, single, several) => {
    for (const fields of [single, several]) {
      expect(spanOf(fields)).toBeUndefined();
      expect(inject(extract(fields))).toEqual(single);
      expect(inject(extract(fields), { inject: "multi" })).toEqual(several);
      expect(child(fields, 1)).toEqual({ b3: `${traceId}-${"a".repeat(16)}-1` });
    }
  });
  test("a parent that another propagator found takes nothing of the state", () => {
    const first = extract({ b3: `${ids}-d` });
    const headers: HeaderList = [["traceparent", `00-${"c".repeat(32)}-${spanId}-00`]];
    expect(inject(w3cTraceContext().extract(first, headers, listGetter))).toEqual({
      b3: `${"c".repeat(32)}-${spanId}-0`,
    });
  });
  test("the fields are what is written", () => {
    expect(b3().fields()).toEqual(["b3"]);
    expect(b3({ inject: "multi" }).fields()).toEqual(["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"]);
  });
  test("an unknown way of writing is refused", () => {
    const given = { inject: "both" } as unknown as B3Options;
    expect(() => b3(given)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

test("no input makes reading throw, and what is read is written the same", () => {
  const piece = fc.oneof(anyText, fc.constantFrom(traceId, spanId, ids, "-", "0", "1", "d"));
  const field = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
  const names = ["b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled", "X-B3-Flags"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), field), (fields) => {
      const read = extract(fields);
      for (const way of ["single", "multi"] as const) {
        const sent = inject(read, { inject: way });
        expect(inject(extract(sent), { inject: way })).toEqual(sent);
        expect(spanOf(sent)).toEqual(trace.getSpanContext(read));
      }
    }),
    { numRuns: 1_000 },
  );
}, 60_000);

describe("on a bus", () => {
  afterEach(() => contextApi.disable());

  test.each(["single", "multi"] as const)("a trace goes from one service to the next: %s", async (way) => {
    contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const tracerProvider = new BasicTracerProvider();
    const options = { transports: { memory }, clock, propagator: b3({ inject: way }) };
    const bus = createEventBus({ source: "/traced", tracerProvider, ...options });
    const plain = createEventBus({ source: "/plain", ...options }); // without an SDK
    const seen: (string | undefined)[] = [];
    await plain.subscribe("a", async (_, delivery) => void (await delivery.publish("b", {})), { group: "g" });
    await bus.subscribe("b", (_, { context }) => void seen.push(trace.getSpanContext(context)?.traceId), {
      group: "g",
    });
    const span = tracerProvider.getTracer("test").startSpan("page");
    await bus.publish("a", {}, { context: trace.setSpan(ROOT_CONTEXT, span) });
    await clock.advance(0);
    expect(seen).toEqual([span.spanContext().traceId]);
    const names: string[] = [];
    for await (const { headers } of memory.read!({ destination: "a" })) names.push(...headers.keys());
    expect(names.includes("traceparent")).toBe(false);
    expect(names.includes(way === "single" ? "b3" : "x-b3-traceid")).toBe(true);
  });
});
