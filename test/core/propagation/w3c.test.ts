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

describe("the official traceparent cases", () => {
  const continued: [string, HeaderList][] = [
    ["header_name_valid_casing", [["TraceParent", `00-${ids}-00`]]],
    ["header_name_valid_casing", [["TrAcEpArEnT", `00-${ids}-00`]]],
    ["header_name_valid_casing", [["TRACEPARENT", `00-${ids}-00`]]],
    ["included_tracestate_missing", [parent]],
    ["version_0xcc", [["traceparent", `cc-${ids}-01`]]],
    ["version_0xcc", [["traceparent", `cc-${ids}-01-what-the-future-will-be-like`]]],
    ["ows_handling", [["traceparent", ` 00-${ids}-01`]]],
    ["ows_handling", [["traceparent", `\t00-${ids}-01`]]],
    ["ows_handling", [["traceparent", `00-${ids}-01 `]]],
    ["ows_handling", [["traceparent", `00-${ids}-01\t`]]],
    ["ows_handling", [["traceparent", `\t 00-${ids}-01 \t`]]],
  ];
  test.each(continued)("%s continues the trace of %j", (_, headers) => {
    expect(hop(headers).traceparent).toMatch(new RegExp(`^00-${traceId}-${"e".repeat(16)}-0[01]$`));
  });

  const restarted: [string, HeaderList][] = [
    ["both_traceparent_and_tracestate_missing", []],
    ["duplicated", [parent, ["traceparent", `00-12345678901234567890123456789011-${spanId}-01`]]],
    ["duplicated", [parent, parent]],
    ["header_name", [["trace-parent", `00-${ids}-01`]]],
    ["header_name", [["trace.parent", `00-${ids}-01`]]],
    ["version_0x00", [["traceparent", `00-${ids}-01.`]]],
    ["version_0x00", [["traceparent", `00-${ids}-01-what-the-future-will-be-like`]]],
    ["version_0xcc", [["traceparent", `cc-${ids}-01.what-the-future-will-be-like`]]],
    ["version_0xff", [["traceparent", `ff-${ids}-01`]]],
    ["version_illegal_characters", [["traceparent", `.0-${ids}-01`]]],
    ["version_illegal_characters", [["traceparent", `0.-${ids}-01`]]],
    ["version_too_long", [["traceparent", `000-${ids}-01`]]],
    ["version_too_long", [["traceparent", `0000-${ids}-01`]]],
    ["version_too_short", [["traceparent", `0-${ids}-01`]]],
    ["trace_id_all_zero", [["traceparent", `00-${"0".repeat(32)}-${spanId}-01`]]],
    ["trace_id_illegal_characters", [["traceparent", `00-.${traceId.slice(1)}-${spanId}-01`]]],
    ["trace_id_illegal_characters", [["traceparent", `00-${"A".repeat(32)}-${spanId}-01`]]],
    ["trace_id_too_long", [["traceparent", `00-${traceId}3-${spanId}-01`]]],
    ["trace_id_too_short", [["traceparent", `00-${traceId.slice(1)}-${spanId}-01`]]],
    ["parent_id_all_zero", [["traceparent", `00-${traceId}-${"0".repeat(16)}-01`]]],
    ["parent_id_illegal_characters", [["traceparent", `00-${traceId}-.${spanId.slice(1)}-01`]]],
    ["parent_id_illegal_characters", [["traceparent", `00-${traceId}-${"A".repeat(16)}-01`]]],
    ["parent_id_too_long", [["traceparent", `00-${ids}7-01`]]],
    ["parent_id_too_short", [["traceparent", `00-${ids.slice(0, -1)}-01`]]],
    ["trace_flags_illegal_characters", [["traceparent", `00-${ids}-.0`]]],
    ["trace_flags_illegal_characters", [["traceparent", `00-${ids}-0.`]]],
    ["trace_flags_too_long", [["traceparent", `00-${ids}-001`]]],
    ["trace_flags_too_short", [["traceparent", `00-${ids}-1`]]],
    ["joined by an intermediary", [["traceparent", `00-${ids}-01,00-${ids}-01`]]],
  ];
  test.each(restarted)("%s restarts the trace and drops the state for %j", (_, headers) => {
    expect(hop([...headers, ["tracestate", "foo=1"]])).toEqual({
      traceparent: `00-${"f".repeat(32)}-${"e".repeat(16)}-00`,
    });
  });

  // Level 2: propagates_random_flag; every other bit is sent as zero.
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

describe("the official tracestate cases", () => {
  const keys = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).join("");
  const value = printable.replace(/[,=]/g, "");
  const many = (n: number): string => Array.from({ length: n }, (_, i) => `bar${i}=${i}`).join(",");

  const kept: [string, HeaderList, string][] = [
    ["included_traceparent_included", states("foo=1,bar=2"), "foo=1,bar=2"],
    ["header_name_valid_casing", [parent, ["TrAcEsTaTe", "foo=1"]], "foo=1"],
    ["empty_header", states("foo=1", ""), "foo=1"],
    ["empty_header", states("", "foo=1"), "foo=1"],
    [
      "multiple_headers_different_keys",
      states("foo=1,bar=2", "rojo=1,congo=2", "baz=3"),
      "foo=1,bar=2,rojo=1,congo=2,baz=3",
    ],
    ["all_allowed_characters", states(`${keys}=${value}`), `${keys}=${value}`],
    ["all_allowed_characters", states(`${keys}@a-z0-9_-*/=${value}`), `${keys}@a-z0-9_-*/=${value}`],
    ["ows_handling", states("foo=1 \t , \t bar=2, \t baz=3"), "foo=1,bar=2,baz=3"],
    ["ows_handling", states("foo=1\t \t,\t \tbar=2,\t \tbaz=3"), "foo=1,bar=2,baz=3"],
    ["ows_handling", states(" foo=1"), "foo=1"],
    ["ows_handling", states("\tfoo=1"), "foo=1"],
    ["ows_handling", states("foo=1 "), "foo=1"],
    ["ows_handling", states("\t foo=1 \t"), "foo=1"],
    ["empty members", states("foo=1,,\t,bar=2"), "foo=1,bar=2"],
    ["a value's leading space", states("foo=  1"), "foo=  1"],
    ["key_illegal_vendor_format", states("foo@=1,bar=2"), "foo@=1,bar=2"],
    ["key_illegal_vendor_format", states("foo@@bar=1,bar=2"), "foo@@bar=1,bar=2"],
    ["key_illegal_vendor_format", states("foo@bar@baz=1,bar=2"), "foo@bar@baz=1,bar=2"],
    ["a key that begins with a digit", states("1foo=1"), "1foo=1"],
    ["member_count_limit", states(many(32)), many(32)],
    ["key_length_limit", states(`${"z".repeat(256)}=1`), `${"z".repeat(256)}=1`],
    ["key_length_limit", states(`${"t".repeat(241)}@${"v".repeat(14)}=1`), `${"t".repeat(241)}@${"v".repeat(14)}=1`],
    ["a value of 256 characters", states(`foo=${"v".repeat(256)}`), `foo=${"v".repeat(256)}`],
  ];
  test.each(kept)("%s is carried on from %j", (_, headers, expected) => {
    expect(hop(headers).tracestate).toBe(expected);
  });

  const dropped: [string, HeaderList][] = [
    ["header_name", [parent, ["trace-state", "foo=1"]]],
    ["header_name", [parent, ["trace.state", "foo=1"]]],
    ["empty_header", states("")],
    ["duplicated_keys", states("foo=1,foo=1")],
    ["duplicated_keys", states("foo=1,foo=2")],
    ["duplicated_keys", states("foo=1", "foo=1")],
    ["duplicated_keys", states("foo=1", "foo=2")],
    ["key_illegal_characters", states("foo =1")],
    ["key_illegal_characters", states("FOO=1")],
    ["key_illegal_characters", states("foo.bar=1")],
    ["key_illegal_vendor_format", states("@foo=1,bar=2")],
    ["member_count_limit", states(many(33))],
    ["member_count_limit", states(many(20), "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10,k=11,l=12,m=13")],
    ["key_length_limit", states(`${"z".repeat(257)}=1`)],
    ["value_illegal_characters", states("foo=bar=baz")],
    ["value_illegal_characters", states("foo=,bar=3")],
    ["a value of 257 characters", states(`foo=${"v".repeat(257)}`)],
    ["a value beyond ASCII", states("foo=é")],
    ["a member without value", states("foo")],
  ];
  test.each(dropped)("%s is dropped from %j, and the trace goes on", (_, headers) => {
    expect(hop(headers)).toEqual({ traceparent: `00-${traceId}-${"e".repeat(16)}-00` });
  });
});

describe("the official advanced cases", () => {
  test("multiple_requests: each continues its own trace and none changes another's", () => {
    const traces = [traceId, "a".repeat(32), "b".repeat(32)];
    const sent = traces.map((id) => hop([["traceparent", `00-${id}-${spanId}-01`]]).traceparent!.split("-")[1]);
    expect(sent).toEqual(traces);
    for (const illegal of [[], [["traceparent", "00-what"] as const]]) expect(extract(illegal)).toBeUndefined();
  });
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
