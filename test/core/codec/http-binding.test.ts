import { describe, expect, test } from "vitest";
import { type CloudEvent, cloudEventsBinary, createEvent, type EventInit, httpBinding } from "waybill";
import { decode, encode, type Pair, record, wires } from "./wire.ts";

const event = (init: Partial<EventInit> = {}): CloudEvent =>
  createEvent({ id: "1", source: "/s", type: "t", time: "2026-01-02T03:04:05Z", ...init });
const required: Pair[] = [
  ["ce-specversion", "1.0"],
  ["ce-id", "1"],
  ["ce-source", "/s"],
  ["ce-type", "t"],
];
const read = (more: Pair[], body: string | Uint8Array | null = null): CloudEvent =>
  decode([...required, ...more], body, wires.http);
const malformed = expect.objectContaining({ code: "malformed-message" });

describe("HTTP, what is written", () => {
  test("attributes as ce- headers, percent-encoded, and the media type as Content-Type alone, which is not", () => {
    const full = event({
      subject: "Euro € 😀",
      dataschema: "https://s/1?a=b",
      datacontenttype: 'text/plain; charset="utf-8"; p=100%',
      data: "x",
      extensions: { partitionkey: 'a"b%', n: -7, flag: true, empty: "" },
    });
    expect(record(encode(cloudEventsBinary(), full, httpBinding).headers)).toEqual({
      "ce-specversion": "1.0",
      "ce-type": "t",
      "ce-source": "/s",
      "ce-id": "1",
      "ce-time": "2026-01-02T03:04:05Z",
      "ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80",
      "ce-dataschema": "https://s/1?a=b",
      "ce-partitionkey": "a%22b%25",
      "ce-n": "-7",
      "ce-flag": "true",
      "ce-empty": "",
      "content-type": 'text/plain; charset="utf-8"; p=100%',
    });
  });
  test("exactly space, quote, percent and what lies beyond printable ASCII is encoded", () => {
    const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).join("");
    const { headers } = encode(cloudEventsBinary(), event({ subject: `${ascii}\u00a0é` }), httpBinding);
    const expected = ascii.replaceAll("%", "%25").replaceAll(" ", "%20").replaceAll('"', "%22");
    expect(record(headers)["ce-subject"]).toBe(`${expected}%C2%A0%C3%A9`);
  });
});

describe("HTTP, what is read", () => {
  test.each([
    ["Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
    ["Euro%20%e2%82%ac%20%f0%9f%98%80", "Euro € 😀"],
    ['"quoted \\" and \\\\ back"', 'quoted " and \\ back'],
    ['"Euro%20%E2%82%AC"', "Euro €"],
    ["%2541", "%41"],
    ["%41%62c%2F%7e", "Abc/~"],
    ["a b", "a b"],
    ["100%", "100%"],
  ])("%j means %j", (value, meaning) => {
    expect(read([["ce-subject", value]]).subject).toBe(meaning);
    expect(read([["ce-myext", value]]).extensions.myext).toBe(meaning);
  });
  test.each(["%C0%A0", "%ff", "%E2%82", "%ED%A0%80", "%F8%88%80%80%80"])("%s is no UTF-8 and refused", (value) => {
    expect(() => read([["ce-subject", value]])).toThrow(malformed);
  });
  test("Content-Type is taken as it stands", () => {
    const type = 'text/plain; charset="utf-8"; p=%41';
    expect(read([["Content-Type", type]], "x")).toMatchObject({ datacontenttype: type, data: "x" });
    expect(read([["Content-Type", '"text/plain"']], "x").datacontenttype).toBe('"text/plain"');
  });
  test("a ce-datacontenttype beside it is passed over when it says the same, and refused when it does not", () => {
    const json: Pair = ["Content-Type", "application/json"];
    expect(read([json, ["ce-datacontenttype", "application/json"]], "{}").datacontenttype).toBe("application/json");
    const text: Pair = ["ce-datacontenttype", "text/plain"];
    expect(() => read([json, text], "{}")).toThrow(/datacontenttype/);
    expect(() => read([text, json], "{}")).toThrow(/datacontenttype/);
    expect(read([text], "{}")).toMatchObject({ data: "{}" });
  });
  test("text in another charset than UTF-8 is left as bytes", () => {
    const latin = new Uint8Array([0xe9]);
    expect(read([["Content-Type", "text/plain; charset=iso-8859-1"]], latin).data).toEqual(latin);
    for (const type of ["text/plain", 'text/plain;charset="UTF-8"', "text/plain; a=b; CHARSET = us-ascii"]) {
      expect(read([["Content-Type", type]], "é").data).toBe("é");
    }
    expect(() => read([["Content-Type", "text/plain"]], latin)).toThrow(malformed);
  });
});
