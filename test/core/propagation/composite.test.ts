import { createContextKey, DiagLogLevel, diag, ROOT_CONTEXT, type TextMapPropagator, trace } from "@opentelemetry/api";
import { CompositePropagator } from "@opentelemetry/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { b3, compositePropagator, w3cBaggage, w3cTraceContext } from "waybill";
import { type HeaderList, listGetter, recordSetter } from "./headers.ts";

const w3cTrace = "1".repeat(32);
const b3Trace = "2".repeat(32);
const spanId = "3".repeat(16);
const traceparent = ["traceparent", `00-${w3cTrace}-${spanId}-01`] as const;
const single = ["b3", `${b3Trace}-${spanId}-1`] as const;

/** Ours, and OpenTelemetry's own, which behaves the same. */
const makers: [string, (propagators: TextMapPropagator[]) => TextMapPropagator][] = [
  ["compositePropagator", compositePropagator],
  ["control: OpenTelemetry's", (propagators) => new CompositePropagator({ propagators })],
];
const broken: TextMapPropagator = {
  inject() {
    throw new Error("broken");
  },
  extract() {
    throw new Error("broken");
  },
  fields: () => ["broken"],
};

afterEach(() => diag.disable());

describe.each(makers)("%s", (_, compose) => {
  const traceOf = (propagator: TextMapPropagator, headers: HeaderList): string | undefined =>
    trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, listGetter))?.traceId;

  test("the last propagator that finds a parent decides", () => {
    const headers = [traceparent, single];
    expect(traceOf(compose([w3cTraceContext(), b3()]), headers)).toBe(b3Trace);
    expect(traceOf(compose([b3(), w3cTraceContext()]), headers)).toBe(w3cTrace);
    expect(traceOf(compose([b3(), w3cTraceContext()]), [single])).toBe(b3Trace);
    expect(traceOf(compose([b3(), w3cTraceContext()]), [["traceparent", "00-what"], single])).toBe(b3Trace);
  });
  test("each goes on from the context of the one before it", () => {
    const key = createContextKey("order");
    const adding = (name: string): TextMapPropagator => ({
      inject: () => undefined,
      extract: (context) => context.setValue(key, `${context.getValue(key) ?? ""}${name}`),
      fields: () => [],
    });
    expect(
      compose([adding("a"), adding("b")])
        .extract(ROOT_CONTEXT, [], listGetter)
        .getValue(key),
    ).toBe("ab");
  });
  test("all write, and each field is named once", () => {
    const propagator = compose([w3cTraceContext(), b3(), w3cBaggage(), w3cTraceContext()]);
    expect(propagator.fields()).toEqual(["traceparent", "tracestate", "b3", "baggage"]);
    const sent: Record<string, string> = {};
    const span = { traceId: w3cTrace, spanId, traceFlags: 1 };
    propagator.inject(trace.setSpanContext(ROOT_CONTEXT, span), sent, recordSetter);
    expect(Object.keys(sent)).toEqual(["traceparent", "b3"]);
  });
  test("one that throws is passed over, with a warning", () => {
    const warn = vi.fn();
    diag.setLogger({ warn, error: warn, info: warn, debug: warn, verbose: warn }, DiagLogLevel.WARN);
    const propagator = compose([w3cTraceContext(), broken, w3cBaggage()]);
    expect(traceOf(propagator, [traceparent])).toBe(w3cTrace);
    const sent: Record<string, string> = {};
    propagator.inject(propagator.extract(ROOT_CONTEXT, [traceparent], listGetter), sent, recordSetter);
    expect(sent).toEqual({ traceparent: traceparent[1] });
    expect(warn).toHaveBeenCalledTimes(3);
  });
  test("none at all changes nothing", () => {
    expect(compose([]).extract(ROOT_CONTEXT, [traceparent], listGetter)).toBe(ROOT_CONTEXT);
    expect(compose([]).fields()).toEqual([]);
  });
});
