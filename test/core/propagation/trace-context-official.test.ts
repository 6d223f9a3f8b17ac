import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { describe, expect, test } from "vitest";
import { w3cTraceContext } from "waybill";
import { officialCases, type Service, serviceOf } from "./trace-context-cases.ts";

describe("W3C's own trace-context cases", () => {
  test("are 41", () => {
    expect(Object.keys(officialCases)).toHaveLength(41);
  });
  test.each(Object.entries(officialCases))("%s", (_, check) => {
    check(serviceOf(w3cTraceContext()));
  });
});

test("control: OpenTelemetry's own propagator fails five of them", () => {
  const service = serviceOf(new W3CTraceContextPropagator());
  // The official harness speaks HTTP, whose parsers take the white space around values away; brokers leave it.
  const overHttp: Service = (headers) => service(headers.map(([name, value]) => [name, value.trim()]));
  const failed = Object.entries(officialCases).filter(([, check]) => {
    try {
      check(overHttp);
      return false;
    } catch {
      return true;
    }
  });
  expect(failed.map(([name]) => name)).toEqual([
    "traceparent_duplicated",
    "tracestate_key_illegal_vendor_format",
    "tracestate_member_count_limit",
    "tracestate_key_length_limit",
    "tracestate_value_illegal_characters",
  ]);
});
