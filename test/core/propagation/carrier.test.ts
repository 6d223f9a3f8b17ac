import { propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { compositePropagator, w3cBaggage, w3cTraceContext } from "waybill";
import { pairHeaders } from "../../../adapters/memory/headers.ts";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";
import { receivedGetter } from "../../../core/propagation/carrier.ts";

const propagator = compositePropagator([w3cTraceContext(), w3cBaggage()]);
const bindings = {
  nats: { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true },
  kafka: { prefix: "ce_", contentType: "content-type", percentEncoded: false },
};
const parent = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

/** What a consumer makes of a message: the digit of its parent, its state and its baggage. */
function received(
  headers: Record<string, string | string[]>,
  body: object | null,
  binding: keyof typeof bindings = "nats",
) {
  const pairs = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
  const message = {
    destination: "orders",
    headers: pairHeaders(pairs),
    body: body && new TextEncoder().encode(JSON.stringify(body)),
  };
  const event = decodeMessage(message, bindings[binding], defaultLimits);
  const context = propagator.extract(ROOT_CONTEXT, { message, event }, receivedGetter);
  const span = trace.getSpanContext(context);
  return {
    parent: span?.traceId[0],
    state: span?.traceState?.serialize(),
    baggage: propagation.getBaggage(context)?.getEntry("k")?.value,
  };
}

const attributes = (prefix: string): Record<string, string> => ({
  [`${prefix}specversion`]: "1.0",
  [`${prefix}id`]: "1",
  [`${prefix}source`]: "/s",
  [`${prefix}type`]: "t",
});
const envelope = {
  id: "1",
  type: "t",
  source: "/s",
  timestamp: "2026-01-01T00:00:00Z",
  data: {},
  trace_id: "4".repeat(32),
  span_id: "4".repeat(16),
};

describe("the parent is read in order", () => {
  const sources: [string, Record<string, string>][] = [
    ["traceparent", { traceparent: parent("1") }],
    ["Xraceparent", { Xraceparent: parent("2") }],
    ["ce-traceparent", { "ce-traceparent": parent("3") }],
  ];
  test.each(sources.map(([name], i) => [name, i] as const))("%s counts when nothing before it is there", (_, i) => {
    const headers = Object.assign({}, ...sources.slice(i).map(([, header]) => header));
    expect(received({ ...attributes("ce-"), ...headers }, {}).parent).toBe(String(i + 1));
  });
  test("an envelope's own traceparent member counts before its ids, and the ids last of all", () => {
    expect(received({ traceparent: parent("1") }, envelope).parent).toBe("1");
    expect(received({ xraceparent: parent("2") }, envelope).parent).toBe("2");
    expect(received({}, { ...envelope, traceparent: parent("3") }).parent).toBe("3");
    expect(received({}, envelope).parent).toBe("4");
  });
  test.each(["traceparent", "Traceparent", "TraceParent", "TRACEPARENT"])("%s is the same header", (name) => {
    expect(received({ ...attributes("ce-"), [name]: parent("1"), "ce-traceparent": parent("3") }, {}).parent).toBe("1");
  });
  test.each(["Xraceparent", "xraceparent"])("%s is the same header", (name) => {
    expect(received({ ...attributes("ce-"), [name]: parent("2") }, {}).parent).toBe("2");
  });
  test("Kafka's ce_traceparent counts as well", () => {
    expect(received({ ...attributes("ce_"), ce_traceparent: parent("3") }, {}, "kafka").parent).toBe("3");
    expect(
      received({ ...attributes("ce_"), ce_traceparent: parent("3"), traceparent: parent("1") }, {}, "kafka").parent,
    ).toBe("1");
  });
  test("a structured event's own member counts where ce-traceparent does", () => {
    const structured = { specversion: "1.0", id: "1", source: "/s", type: "t", traceparent: parent("3") };
    expect(received({}, structured).parent).toBe("3");
    expect(received({ XRACEPARENT: parent("2") }, structured).parent).toBe("2");
    expect(received({ Traceparent: parent("1"), Xraceparent: parent("2") }, structured).parent).toBe("1");
    expect(received({ "content-type": "application/cloudevents+json" }, structured, "kafka").parent).toBe("3");
  });
  test("Kafka's renamed header counts as well", () => {
    const headers = { ...attributes("ce_"), ce_traceparent: parent("3"), Xraceparent: parent("2") };
    expect(received(headers, {}, "kafka").parent).toBe("2");
  });
  test("without any there is none", () => {
    expect(received(attributes("ce-"), {})).toEqual({ parent: undefined, state: undefined, baggage: undefined });
  });
});

describe("a parent that is there and unusable restarts the trace", () => {
  test.each([
    ["malformed", { traceparent: "00-what" }],
    ["twice", { traceparent: [parent("1"), parent("2")] }],
  ])("%s: what comes later in the order is not asked", (_, headers) => {
    expect(received({ ...attributes("ce-"), ...headers, "ce-traceparent": parent("3") }, {}).parent).toBeUndefined();
  });
});

describe("a state belongs to its parent", () => {
  const own = { "ce-traceparent": parent("3"), "ce-tracestate": "own=3" };
  test.each<[string, Record<string, string | string[]>, string, string | undefined]>([
    ["headers' parent with headers' state", { traceparent: parent("1"), tracestate: "hop=1", ...own }, "1", "hop=1"],
    ["headers' state in any case", { traceparent: parent("1"), TraceState: "hop=1", ...own }, "1", "hop=1"],
    ["headers' state in several headers", { traceparent: parent("1"), tracestate: ["a=1", "b=2"] }, "1", "a=1,b=2"],
    ["headers' parent without state", { traceparent: parent("1"), ...own }, "1", undefined],
    ["the renamed parent with headers' state", { Xraceparent: parent("2"), tracestate: "hop=1", ...own }, "2", "hop=1"],
    ["the renamed parent without state", { Xraceparent: parent("2"), ...own }, "2", undefined],
    ["the event's parent with the event's state", own, "3", "own=3"],
    ["the event's parent beside a stray state", { ...own, tracestate: "stray=1" }, "3", "own=3"],
    [
      "the event's bare parent beside a stray state",
      { "ce-traceparent": parent("3"), tracestate: "stray=1" },
      "3",
      undefined,
    ],
  ])("%s", (_, headers, digit, state) => {
    expect(received({ ...attributes("ce-"), ...headers }, {})).toMatchObject({ parent: digit, state });
  });
  test("an envelope's ids come without a state", () => {
    expect(received({ tracestate: "stray=1" }, envelope)).toMatchObject({ parent: "4", state: undefined });
  });
});

test("baggage is read from its headers, whatever the parent is", () => {
  expect(received({ ...attributes("ce-"), Baggage: ["k=1", "l=2"] }, {}).baggage).toBe("1");
  expect(received({ baggage: "k=1" }, envelope)).toMatchObject({ parent: "4", baggage: "1" });
});

test("the names that a propagator may look through are the headers' and the extensions'", () => {
  const event = { id: "1", source: "/s", type: "t", data: undefined, extensions: { traceparent: parent("3") } };
  const message = { destination: "d", headers: pairHeaders([["B3", "0"]]), body: null };
  expect(receivedGetter.keys({ message, event })).toEqual(["B3", "traceparent"]);
  expect(receivedGetter.keys({ message, event: undefined })).toEqual(["B3"]);
});

describe("the ids of an envelope by their own names", () => {
  const get = (headers: [string, string][], traceparent: string | undefined, name: string): unknown => {
    const extensions = traceparent === undefined ? {} : { traceparent };
    const event = { id: "1", source: "/s", type: "t", data: {}, extensions };
    const message = { destination: "d", headers: pairHeaders(headers), body: null };
    return receivedGetter.get({ message, event }, name);
  };
  test("are those of the event", () => {
    expect(get([], parent("4"), "trace_id")).toBe("4".repeat(32));
    expect(get([], parent("4"), "span_id")).toBe("4".repeat(16));
  });
  test("are none where nothing says sampled, or says anything at all", () => {
    expect(get([], parent("4").replace(/1$/, "0"), "trace_id")).toBeUndefined();
    expect(get([], undefined, "trace_id")).toBeUndefined();
    expect(get([], "x", "span_id")).toBeUndefined();
  });
  test("yield to headers of these names", () => {
    expect(get([["trace_id", "5"]], parent("4"), "trace_id")).toBe("5");
  });
});
