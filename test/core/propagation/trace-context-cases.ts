import { ROOT_CONTEXT, type TextMapPropagator, trace } from "@opentelemetry/api";
import { expect } from "vitest";
import { type HeaderList, listGetter, recordSetter } from "./headers.ts";

/** What a service sends after it received `headers`. */
export type Service = (headers: HeaderList) => { readonly parent: string; readonly state: string | undefined };

/** A service as the official harness drives it: each request that it gets makes it send one. */
export function serviceOf(propagator: TextMapPropagator): Service {
  let spans = 0;
  return (headers) => {
    const received = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, listGetter));
    const spanId = String(++spans).padStart(16, "a");
    const own = received ?? { traceId: spanId.repeat(2), traceFlags: 0 };
    const sent: Record<string, string> = {};
    propagator.inject(trace.setSpanContext(ROOT_CONTEXT, { ...own, spanId }), sent, recordSetter);
    expect(sent.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/);
    return { parent: sent.traceparent!, state: sent.tracestate };
  };
}

const traceId = "12345678901234567890123456789012";
const spanId = "1234567890123456";
const ids = `${traceId}-${spanId}`;
const valid = `00-${ids}-00`;

type Headers = Record<string, string | readonly string[]>;
const list = (headers: Headers): HeaderList =>
  Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const));
const traceOf = (service: Service, headers: Headers): string => service(list(headers)).parent.slice(3, 35);

/** Each of these continues the trace. */
const continues =
  (...requests: Headers[]) =>
  (service: Service): void => {
    for (const headers of requests) expect(traceOf(service, headers), JSON.stringify(headers)).toBe(traceId);
  };
/** Each of these begins another trace. */
const restarts =
  (...requests: Headers[]) =>
  (service: Service): void => {
    for (const headers of requests) {
      const sent = traceOf(service, headers);
      for (const given of Object.values(headers).flat()) expect(given).not.toContain(sent);
      expect(sent).not.toContain(traceId.slice(0, -1));
    }
  };
const parents = (...values: string[]): Headers[] => values.map((traceparent) => ({ traceparent }));
/** What is sent as `tracestate` for each of those received in the trace. */
const states =
  (...expected: [received: string | readonly string[], sent: string | undefined][]) =>
  (service: Service): void => {
    for (const [tracestate, sent] of expected) {
      const { parent, state } = service(list({ traceparent: valid, tracestate }));
      expect(parent.slice(3, 35)).toBe(traceId);
      expect(state || undefined, JSON.stringify(tracestate)).toBe(sent);
    }
  };

const keyCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
const valueCharacters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i))
  .join("")
  .replace(/[,=]/g, "");
const members = (n: number): string[] => Array.from({ length: n }, (_, i) => `bar${i + 1}=${i + 1}`);
const inHeaders = (all: string[]): string[] =>
  [0, 10, 20, 30].map((from) => all.slice(from, from + 10).join(",")).filter((text) => text !== "");

/**
 * The 41 cases of W3C's own suite (test/test.py of w3c/trace-context, SPEC_LEVEL and STRICT_LEVEL 2), under its names.
 * Each throws when the service fails it.
 */
export const officialCases: Readonly<Record<string, (service: Service) => void>> = {
  both_traceparent_and_tracestate_missing: (service) => void service([]),
  traceparent_included_tracestate_missing: continues({ traceparent: `00-${ids}-01` }),
  traceparent_duplicated: restarts({
    traceparent: [`00-12345678901234567890123456789011-${spanId}-01`, `00-${ids}-01`],
  }),
  traceparent_header_name: restarts({ "trace-parent": `00-${ids}-01` }, { "trace.parent": `00-${ids}-01` }),
  traceparent_header_name_valid_casing: continues(
    { TraceParent: `00-${ids}-01` },
    { TrAcEpArEnT: `00-${ids}-01` },
    { TRACEPARENT: `00-${ids}-01` },
  ),
  traceparent_version_0x00: restarts(...parents(`00-${ids}-01.`, `00-${ids}-01-what-the-future-will-be-like`)),
  traceparent_version_0xcc(service) {
    continues(...parents(`cc-${ids}-01`, `cc-${ids}-01-what-the-future-will-be-like`))(service);
    restarts(...parents(`cc-${ids}-01.what-the-future-will-be-like`))(service);
  },
  traceparent_version_0xff: restarts(...parents(`ff-${ids}-01`)),
  traceparent_version_illegal_characters: restarts(...parents(`.0-${ids}-01`, `0.-${ids}-01`)),
  traceparent_version_too_long: restarts(...parents(`000-${ids}-01`, `0000-${ids}-01`)),
  traceparent_version_too_short: restarts(...parents(`0-${ids}-01`)),
  traceparent_trace_id_all_zero: restarts(...parents(`00-${"0".repeat(32)}-${spanId}-01`)),
  traceparent_trace_id_illegal_characters: restarts(
    ...parents(`00-.${traceId.slice(1)}-${spanId}-01`, `00-${traceId.slice(0, -1)}.-${spanId}-01`),
  ),
  traceparent_trace_id_too_long: restarts(...parents(`00-${traceId}3-${spanId}-01`)),
  traceparent_trace_id_too_short: restarts(...parents(`00-${traceId.slice(0, -1)}-${spanId}-01`)),
  traceparent_parent_id_all_zero: restarts(...parents(`00-${traceId}-${"0".repeat(16)}-01`)),
  traceparent_parent_id_illegal_characters: restarts(
    ...parents(`00-${traceId}-.${spanId.slice(1)}-01`, `00-${traceId}-${spanId.slice(0, -1)}.-01`),
  ),
  traceparent_parent_id_too_long: restarts(...parents(`00-${ids}7-01`)),
  traceparent_parent_id_too_short: restarts(...parents(`00-${ids.slice(0, -1)}-01`)),
  traceparent_trace_flags_illegal_characters: restarts(...parents(`00-${ids}-.0`, `00-${ids}-0.`)),
  traceparent_trace_flags_too_long: restarts(...parents(`00-${ids}-001`)),
  traceparent_trace_flags_too_short: restarts(...parents(`00-${ids}-1`)),
  traceparent_ows_handling: continues(
    ...parents(` 00-${ids}-01`, `\t00-${ids}-01`, `00-${ids}-01 `, `00-${ids}-01\t`, `\t 00-${ids}-01 \t`),
  ),
  tracestate_included_traceparent_missing(service) {
    for (const tracestate of ["foo=1", "foo=1,bar=2"]) expect(service(list({ tracestate })).state).toBeUndefined();
  },
  tracestate_included_traceparent_included: states(["foo=1,bar=2", "foo=1,bar=2"]),
  tracestate_header_name(service) {
    for (const name of ["trace-state", "trace.state"]) {
      expect(service(list({ traceparent: valid, [name]: "foo=1" })).state).toBeUndefined();
    }
  },
  tracestate_header_name_valid_casing(service) {
    for (const name of ["TraceState", "TrAcEsTaTe", "TRACESTATE"]) {
      expect(service(list({ traceparent: valid, [name]: "foo=1" })).state).toBe("foo=1");
    }
  },
  tracestate_empty_header: states(["", undefined], [["foo=1", ""], "foo=1"], [["", "foo=1"], "foo=1"]),
  tracestate_multiple_headers_different_keys: states([
    ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
    "foo=1,bar=2,rojo=1,congo=2,baz=3",
  ]),
  tracestate_duplicated_keys(service) {
    for (const tracestate of ["foo=1,foo=1", "foo=1,foo=2", ["foo=1", "foo=1"], ["foo=1", "foo=2"]]) {
      const { parent, state } = service(list({ traceparent: valid, tracestate }));
      expect(parent.slice(3, 35)).toBe(traceId);
      expect(state).toMatch(/foo=[12]/);
    }
  },
  tracestate_all_allowed_characters: states(
    [`${keyCharacters}=${valueCharacters}`, `${keyCharacters}=${valueCharacters}`],
    [`${keyCharacters}@a-z0-9_-*/=${valueCharacters}`, `${keyCharacters}@a-z0-9_-*/=${valueCharacters}`],
  ),
  tracestate_ows_handling: states(
    ["foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"],
    ["foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3"],
    [" foo=1", "foo=1"],
    ["\tfoo=1", "foo=1"],
    ["foo=1 ", "foo=1"],
    ["foo=1\t", "foo=1"],
    ["\t foo=1 \t", "foo=1"],
  ),
  tracestate_key_illegal_characters: states(["foo =1", undefined], ["FOO=1", undefined], ["foo.bar=1", undefined]),
  tracestate_key_illegal_vendor_format: states(
    ["foo@=1,bar=2", "foo@=1,bar=2"],
    ["@foo=1,bar=2", undefined],
    ["foo@@bar=1,bar=2", "foo@@bar=1,bar=2"],
    ["foo@bar@baz=1,bar=2", "foo@bar@baz=1,bar=2"],
  ),
  tracestate_member_count_limit: states(
    [inHeaders(members(32)), members(32).join(",")],
    [inHeaders(members(33)), undefined],
  ),
  // Keys of Level 2 may be 256 characters long, whatever stands before and after an at sign.
  tracestate_key_length_limit: states(
    [["foo=1", `${"z".repeat(256)}=1`], `foo=1,${"z".repeat(256)}=1`],
    [["foo=1", `${"z".repeat(257)}=1`], undefined],
    [["foo=1", `${"t".repeat(241)}@${"v".repeat(14)}=1`], `foo=1,${"t".repeat(241)}@${"v".repeat(14)}=1`],
    [["foo=1", `${"t".repeat(242)}@v=1`], `foo=1,${"t".repeat(242)}@v=1`],
    [["foo=1", `t@${"v".repeat(15)}=1`], `foo=1,t@${"v".repeat(15)}=1`],
  ),
  tracestate_value_illegal_characters: states(["foo=bar=baz", undefined], ["foo=,bar=3", undefined]),
  multiple_requests_with_valid_traceparent(service) {
    const sent = [1, 2, 3].map(() => service(list({ traceparent: `00-${ids}-01` })).parent.split("-"));
    expect(new Set(sent.map(([, trace]) => trace))).toEqual(new Set([traceId]));
    expect(new Set(sent.map(([, , parent]) => parent)).size).toBe(3);
  },
  multiple_requests_without_traceparent(service) {
    expect(new Set([1, 2, 3].map(() => service([]).parent.split("-")[2])).size).toBe(3);
  },
  multiple_requests_with_illegal_traceparent(service) {
    const illegal = list({ traceparent: `00-${"0".repeat(32)}-${spanId}-01` });
    expect(new Set([1, 2, 3].map(() => service(illegal).parent.split("-")[2])).size).toBe(3);
  },
  propagates_random_flag(service) {
    const { parent } = service(list({ traceparent: `00-${ids}-02` }));
    expect(parent.slice(3, 35)).toBe(traceId);
    expect(parent.slice(36, 52)).not.toBe(spanId);
    expect(Number.parseInt(parent.slice(53), 16) & 2).toBe(2);
  },
};
