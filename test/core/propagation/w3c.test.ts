import { createTraceState, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { w3cTraceContext } from "waybill";
import { anyText, type HeaderList, listGetter, recordSetter } from "./headers.ts";

const propagator = w3cTraceContext();
const traceId = "12345678901234567890123456789012";
const spanId = "1234567890123456";
const ids = `${traceId}-${spanId}`;
const parent = ["traceparent", `00-${ids}-00`] as const;

function extract(headers: HeaderList): SpanContext | undefined {
  return trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, listGetter));
}

function inject(span: SpanContext, options?: Parameters<typeof w3cTraceContext>[0]): Record<string, string> {
  const carrier: Record<string, string> = {};
  w3cTraceContext(options).inject(trace.setSpanContext(ROOT_CONTEXT, span), carrier, recordSetter);
  return carrier;
}

/** One hop as the official harness drives it: what a request's headers become on the next request. */
function hop(headers: HeaderList): Record<string, string> {
  const received = extract(headers);
  const own = { traceId: "f".repeat(32), spanId: "e".repeat(16), traceFlags: 0 };
  return inject(received ? { ...received, spanId: own.spanId } : own);
}

const states = (...values: string[]): HeaderList => [parent, ...values.map((value) => ["tracestate", value] as const)];

// W3C's own cases are in trace-context-official.test.ts; these are beyond them.
describe("a traceparent", () => {
  test.each([
    ["twice the same", [parent, parent]],
    ["joined by an intermediary", [["traceparent", `00-${ids}-01,00-${ids}-01`]]],
    ["with a trace id in upper case", [["traceparent", `00-${"A".repeat(32)}-${spanId}-01`]]],
    ["with a parent id in upper case", [["traceparent", `00-${traceId}-${"A".repeat(16)}-01`]]],
  ] satisfies [string, HeaderList][])("%s restarts the trace and drops the state", (_, headers) => {
    expect(hop([...headers, ["tracestate", "foo=1"]])).toEqual({
      traceparent: `00-${"f".repeat(32)}-${"e".repeat(16)}-00`,
    });
  });

  // Level 2 knows two bits; every other is sent as zero.
  test.each([
    ["00", "00"],
    ["01", "01"],
    ["02", "02"],
    ["03", "03"],
    ["08", "00"],
    ["09", "01"],
    ["ff", "03"],
  ])("flags %s go on as %s", (flags, sent) => {
    expect(hop([["traceparent", `00-${ids}-${flags}`]]).traceparent).toBe(`00-${traceId}-${"e".repeat(16)}-${sent}`);
    expect(inject({ traceId, spanId, traceFlags: Number.parseInt(flags, 16) }).traceparent).toBe(`00-${ids}-${sent}`);
  });
});

describe("a tracestate", () => {
  const many = (n: number): string => Array.from({ length: n }, (_, i) => `bar${i}=${i}`).join(",");

  test.each([
    ["with empty members", states("foo=1,,\t,bar=2"), "foo=1,bar=2"],
    ["with a value's leading space", states("foo=  1"), "foo=  1"],
    ["with a key that begins with a digit", states("1foo=1"), "1foo=1"],
    ["with a value of 256 characters", states(`foo=${"v".repeat(256)}`), `foo=${"v".repeat(256)}`],
    ["that repeats a key: the first, which is the newest, counts", states("foo=1,bar=2", "foo=3"), "foo=1,bar=2"],
  ] satisfies [string, HeaderList, string][])("%s is carried on", (_, headers, expected) => {
    expect(hop(headers).tracestate).toBe(expected);
  });

  test.each([
    ["with 33 members in several headers", states(many(32), "a=1")],
    ["with 33 members of which two have one key", states("bar0=1", many(32))],
    ["with a value of 257 characters", states(`foo=${"v".repeat(257)}`)],
    ["with a value beyond ASCII", states("foo=é")],
    ["with a member without value", states("foo")],
    ["that repeats a key with an illegal value", states("foo=1,foo=a=b")],
  ] satisfies [string, HeaderList][])("%s is dropped, and the trace goes on", (_, headers) => {
    expect(hop(headers)).toEqual({ traceparent: `00-${traceId}-${"e".repeat(16)}-00` });
  });
});

test("white space inside a header does not cost more than its length", () => {
  // Ten of these took minutes while the ends were cut off by a regular expression.
  const state = `a${" ".repeat(65_000)}b=1`;
  for (let i = 0; i < 10; i++) expect(hop(states(state)).tracestate).toBeUndefined();
});

describe("writing tracestate", () => {
  const span = (state: string): SpanContext => ({ ...extract(states(state))!, traceFlags: 1 });
  const entry = (key: string, length: number): string => `${key}=${"v".repeat(length - key.length - 1)}`;

  test("a state that fits is written as it came", () => {
    const exact = [entry("a", 255), entry("b", 256)].join(",");
    expect(inject(span(exact)).tracestate).toBe(exact);
  });
  test("too long a state loses whole members: those over 128 characters first", () => {
    const state = [entry("a", 200), entry("b", 128), entry("c", 200), entry("d", 128)].join(",");
    expect(inject(span(state)).tracestate).toBe(`${entry("b", 128)},${entry("d", 128)}`);
  });
  test("then from the end", () => {
    const members = Array.from({ length: 6 }, (_, i) => entry(`k${i}`, 100));
    expect(inject(span(members.join(","))).tracestate).toBe(members.slice(0, 5).join(","));
    expect(inject(span(members.join(",")), { maxStateLength: 201 }).tracestate).toBe(members.slice(0, 2).join(","));
  });
  test("no header is written when nothing is left", () => {
    expect(inject(span(entry("a", 200)), { maxStateLength: 100 })).toEqual({ traceparent: `00-${ids}-01` });
  });
  test("a state of OpenTelemetry's own API is written too", () => {
    const traceState = createTraceState("vendor=1,other=2");
    expect(inject({ traceId, spanId, traceFlags: 1, traceState }).tracestate).toBe("vendor=1,other=2");
  });

  test("a new or changed key goes to the left, the others keep their order, the 33rd falls off", () => {
    const state = extract(states("foo=1,bar=2,baz=3"))!.traceState!;
    expect(state.set("bar", "x").serialize()).toBe("bar=x,foo=1,baz=3");
    expect(state.set("new", "x").unset("foo").serialize()).toBe("new=x,bar=2,baz=3");
    expect(state.get("baz")).toBe("3");
    const full = extract(states(Array.from({ length: 32 }, (_, i) => `k${i}=1`).join(",")))!.traceState!;
    expect(full.set("new", "1").serialize().split(",")).toHaveLength(32);
    expect(full.set("new", "1").get("k31")).toBeUndefined();
    expect(full.set("k31", "2").serialize().split(",")).toHaveLength(32);
  });
  test("an illegal key or value changes nothing", () => {
    const state = extract(states("foo=1"))!.traceState!;
    for (const [key, value] of [
      ["Foo", "1"],
      ["foo", "a,b"],
      ["foo", "a=b"],
      ["foo", ""],
      ["foo", "x "],
    ] as const) {
      expect(state.set(key, value).serialize()).toBe("foo=1");
    }
  });
});

test("extraction never throws, and invents no span", () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 3 }), anyText, (parents, state) => {
      const headers = [...parents.map((value) => ["traceparent", value] as const), ["tracestate", state] as const];
      expect(extract(headers)).toBeUndefined();
      expect(extract([parent, ["tracestate", state]])).toMatchObject({ traceId, spanId });
    }),
    { numRuns: 1000 },
  );
}, 60_000);

test("without a valid span nothing is written", () => {
  expect(inject({ traceId: "0".repeat(32), spanId, traceFlags: 1 })).toEqual({});
});
