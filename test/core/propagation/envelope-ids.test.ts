import { type Context, defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { b3, compositePropagator, createEventBus, envelope, envelopeIds } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { anyText } from "./headers.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const propagator = envelopeIds();
const extract = (envelope: object): Context => propagator.extract(ROOT_CONTEXT, envelope, defaultTextMapGetter);

describe("the ids of an envelope", () => {
  test("are read as sampled", () => {
    const span = { traceId, spanId, traceFlags: 1, isRemote: true };
    expect(trace.getSpanContext(extract({ trace_id: traceId, span_id: spanId }))).toEqual(span);
  });
  test.each([
    ["absent", {}],
    ["empty", { trace_id: "", span_id: "" }],
    ["null", { trace_id: null, span_id: null }],
    ["half there", { trace_id: traceId }],
    ["all zero", { trace_id: "0".repeat(32), span_id: "0".repeat(16) }],
    ["zero for the span", { trace_id: traceId, span_id: "0".repeat(16) }],
    ["in upper case", { trace_id: traceId.toUpperCase(), span_id: spanId }],
    ["too long", { trace_id: `${traceId}0`, span_id: spanId }],
    ["no text", { trace_id: 1, span_id: {} }],
  ])("name no parent and store nothing when they are %s", (_, ids) => {
    expect(extract(ids)).toBe(ROOT_CONTEXT);
  });
  test("are written into any object, sampled or not", () => {
    for (const traceFlags of [0, 1]) {
      const carrier = { id: "1" };
      propagator.inject(
        trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags }),
        carrier,
        defaultTextMapSetter,
      );
      expect(carrier).toEqual({ id: "1", trace_id: traceId, span_id: spanId });
    }
    expect(propagator.fields()).toEqual(["trace_id", "span_id"]);
  });
  test("are not written without a legal span", () => {
    const carrier = {};
    propagator.inject(ROOT_CONTEXT, carrier, defaultTextMapSetter);
    const illegal = { traceId: "0".repeat(32), spanId, traceFlags: 1 };
    propagator.inject(trace.setSpanContext(ROOT_CONTEXT, illegal), carrier, defaultTextMapSetter);
    expect(carrier).toEqual({});
  });
  test("never make reading throw, whatever they are", () => {
    const value = fc.oneof(anyText, fc.anything());
    fc.assert(
      fc.property(value, value, (trace_id, span_id) => {
        expect(extract({ trace_id, span_id })).toBe(ROOT_CONTEXT);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("on a bus with other propagators than the default", () => {
  const body = JSON.stringify({
    id: "1",
    type: "t",
    source: "/go",
    timestamp: "2026-01-02T03:04:05Z",
    data: {},
    trace_id: traceId,
    span_id: spanId,
  });
  const b3Header = `${"b".repeat(32)}-${"b".repeat(16)}-1`;

  async function parentOf(headers: string[], by = compositePropagator([envelopeIds(), b3()])) {
    const clock = fakeClock();
    const transport = memoryTransport({ clock });
    const bus = createEventBus({ source: "/ts", transports: { transport }, clock, codec: envelope(), propagator: by });
    const seen: (string | undefined)[] = [];
    await bus.subscribe("t", (_, { context }) => void seen.push(trace.getSpanContext(context)?.traceId), {
      group: "g",
    });
    await transport.publish([{ destination: "t", headers, body }]);
    await clock.advance(0);
    expect(seen).toHaveLength(1);
    return seen[0];
  }

  test("the ids are found, and the propagator behind counts first", async () => {
    expect(await parentOf([])).toBe(traceId);
    expect(await parentOf(["b3", b3Header])).toBe("b".repeat(32));
  });
  test("control: without it they are not found", async () => {
    expect(await parentOf([], b3())).toBeUndefined();
  });
});
