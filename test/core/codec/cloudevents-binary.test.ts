import { describe, expect, test } from "vitest";
import { type CloudEvent, cloudEventsBinary, createEvent, type EventInit, httpBinding } from "waybill";
import { pairHeaders } from "../../../adapters/memory/headers.ts";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";

const nats = { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true };
const kafka = { prefix: "ce_", contentType: "content-type", percentEncoded: false };
const bindings = [
  ["NATS", nats],
  ["Kafka", kafka],
  ["HTTP", httpBinding],
] as const;
type Binding = typeof httpBinding;
type Pair = [name: string, value: string];

function encode(event: CloudEvent, binding: Binding) {
  const flat: (string | Uint8Array)[] = [];
  const body = cloudEventsBinary().encode(event, binding, flat, undefined);
  const headers = flat.flatMap((name, i): Pair[] => (i % 2 === 0 ? [[String(name), String(flat[i + 1])]] : []));
  return { headers, body };
}

/** The types that one codec writes, one after the other. */
function typesOf(types: readonly string[]): unknown[] {
  const codec = cloudEventsBinary();
  return types.map((type) => {
    const flat: (string | Uint8Array)[] = [];
    codec.encode(event({ type }), nats, flat, undefined);
    return flat[flat.indexOf("ce-type") + 1];
  });
}

function decode(headers: Pair[], body: string | Uint8Array | null, binding: Binding): CloudEvent {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const message = { destination: "d", headers: pairHeaders(headers), body: bytes };
  return decodeMessage(message, binding, defaultLimits);
}

const event = (init: Partial<EventInit> = {}): CloudEvent =>
  createEvent({ id: "1", source: "/s", type: "t", time: "2026-01-02T03:04:05.123456789Z", ...init });

const required = ({ prefix }: Binding): Pair[] => [
  [`${prefix}specversion`, "1.0"],
  [`${prefix}id`, "1"],
  [`${prefix}source`, "/s"],
  [`${prefix}type`, "t"],
];
const malformed = expect.objectContaining({ code: "malformed-message" });

describe("what is written", () => {
  const full = event({
    subject: "Euro € 😀",
    dataschema: "https://s/1",
    data: { a: "é" },
    extensions: { partitionkey: 'a"b', n: -7, flag: true, percent: "100%", empty: "" },
  });
  test("a type is encoded whatever types were written before it", () => {
    const types = ["a", "a", "a b", "a%20b", "a%20b", "a b", "a"];
    expect(typesOf(types)).toEqual(types.map(encodeURIComponent));
  });

  test("NATS: ce- headers, values percent-encoded, the media type in ce-datacontenttype", () => {
    const { headers, body } = encode(full, nats);
    expect(headers).toEqual([
      ["ce-specversion", "1.0"],
      ["ce-type", "t"],
      ["ce-source", "/s"],
      ["ce-id", "1"],
      ["ce-time", "2026-01-02T03:04:05.123456789Z"],
      ["ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"],
      ["ce-dataschema", "https://s/1"],
      ["ce-partitionkey", "a%22b"],
      ["ce-n", "-7"],
      ["ce-flag", "true"],
      ["ce-percent", "100%25"],
      ["ce-empty", ""],
      ["ce-datacontenttype", "application/json"],
    ]);
    expect(body).toBe('{"a":"é"}');
  });
  test("Kafka: ce_ headers in plain text, the media type in content-type", () => {
    const { headers } = encode(full, kafka);
    expect(headers).toContainEqual(["ce_subject", "Euro € 😀"]);
    expect(headers).toContainEqual(["ce_percent", "100%"]);
    expect(headers).toContainEqual(["content-type", "application/json"]);
    expect(headers.map(([name]) => name)).not.toContain("ce_datacontenttype");
  });
  test("a media type with parameters is encoded like any attribute", () => {
    const typed = event({ data: "x", datacontenttype: 'text/plain; charset="utf-8"' });
    expect(encode(typed, nats).headers.at(-1)).toEqual(["ce-datacontenttype", "text/plain;%20charset=%22utf-8%22"]);
    expect(encode(typed, kafka).headers.at(-1)).toEqual(["content-type", 'text/plain; charset="utf-8"']);
  });
});

describe.each(bindings)("data on %s", (_, binding) => {
  const bytes = new Uint8Array([0, 255, 1]);
  test.each<[string, Partial<EventInit>, unknown, string | undefined]>([
    ["an object", { data: { a: [1, null] } }, { a: [1, null] }, "application/json"],
    ["a JSON string", { data: '{"a":1}' }, '{"a":1}', "application/json"],
    ["null", { data: null }, null, "application/json"],
    [
      "a suffix of JSON",
      { data: { a: 1 }, datacontenttype: "application/problem+json" },
      { a: 1 },
      "application/problem+json",
    ],
    [
      "JSON in capitals",
      { data: 1, datacontenttype: "Application/JSON; charset=utf-8" },
      1,
      "Application/JSON; charset=utf-8",
    ],
    ["text", { data: "é", datacontenttype: "text/plain" }, "é", "text/plain"],
    ["text with a byte order mark", { data: "\ufeffa", datacontenttype: "text/csv" }, "\ufeffa", "text/csv"],
    ["bytes", { data: bytes }, bytes, "application/octet-stream"],
    ["bytes of a type", { data: bytes, datacontenttype: "image/png" }, bytes, "image/png"],
    ["no data", {}, undefined, undefined],
    ["no data of a type", { datacontenttype: "application/json" }, undefined, "application/json"],
  ])("%s arrives as it was sent", (_, init, data, datacontenttype) => {
    const { headers, body } = encode(event(init), binding);
    expect(body === null).toBe(data === undefined);
    const read = decode(headers, body, binding);
    expect(read.data).toEqual(data);
    expect(read.datacontenttype).toBe(datacontenttype);
  });
  test("an empty body of JSON is no data", () => {
    expect(decode(required(binding), new Uint8Array(), binding).data).toBeUndefined();
  });
  test("other types take text or bytes and nothing else", () => {
    const wrong = event({ data: { a: 1 }, datacontenttype: "text/plain" });
    expect(() => encode(wrong, binding)).toThrow(expect.objectContaining({ code: "invalid-data" }));
  });
});

describe("what NATS reads", () => {
  test.each([
    ["Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
    ["Euro%20%e2%82%ac%20%f0%9f%98%80", "Euro € 😀"],
    ['"quoted \\" and \\\\ back"', 'quoted " and \\ back'],
    ['"Euro%20%E2%82%AC"', "Euro €"],
    ["%2541", "%41"],
    ["%41%62c", "Abc"],
    ["a b", "a b"],
    ["100%", "100%"],
    ["%zz", "%zz"],
    ['"', '"'],
  ])("%j means %j", (value, meaning) => {
    expect(decode([...required(nats), ["ce-subject", value]], null, nats).subject).toBe(meaning);
  });
  test.each(["%C0%A0", "%ff", "%E2%82", "%ED%A0%80", "%0D%0A", "%EF%BF%BF"])("%s is refused", (value) => {
    expect(() => decode([...required(nats), ["ce-subject", value]], null, nats)).toThrow(malformed);
  });
  test("the media type is decoded before it is looked at", () => {
    const read = decode([...required(nats), ["ce-datacontenttype", "application%2Fjson;%20charset=utf-8"]], "{}", nats);
    expect(read).toMatchObject({ datacontenttype: "application/json; charset=utf-8", data: {} });
  });
});

test("Kafka reads values as they stand", () => {
  const read = decode([...required(kafka), ["ce_subject", '"%41 €"']], null, kafka);
  expect(read.subject).toBe('"%41 €"');
});

describe.each(bindings)("reading on %s", (_, binding) => {
  const { prefix } = binding;
  test("header names count in any case", () => {
    const upper = required(binding).map(([name, value]): Pair => [name.toUpperCase(), value]);
    expect(decode([...upper, [`${prefix}MyExt`, "1"]], null, binding)).toMatchObject({
      id: "1",
      extensions: { myext: "1" },
    });
  });
  test.each(["0.3", "2.0", "10", "1", "", "x"])("specversion %j is refused", (version) => {
    const headers = required(binding).map(
      ([name, value]): Pair => [name, name.endsWith("specversion") ? version : value],
    );
    expect(() => decode(headers, null, binding)).toThrow(malformed);
  });
  test.each(["id", "source", "type"])("a missing or empty %s is refused", (name) => {
    const rest = required(binding).filter(([header]) => header !== prefix + name);
    expect(() => decode(rest, null, binding)).toThrow(malformed);
    expect(() => decode([...rest, [prefix + name, ""]], null, binding)).toThrow(malformed);
  });
  test.each<Pair>([
    ["id", "2"],
    ["ID", "1"],
    ["myext", "1"],
  ])("a repeated %s is refused", (name, value) => {
    const headers: Pair[] = [...required(binding), [`${prefix}myext`, "1"], [prefix + name, value]];
    expect(() => decode(headers, null, binding)).toThrow(/stands 2 times/);
  });
  test("a repeated media type is refused", () => {
    const type: Pair = [binding.contentType, "application/json"];
    expect(() => decode([...required(binding), type, type], "{}", binding)).toThrow(malformed);
  });
  test.each(["__proto__", "my-ext", "my_ext", "data", "", "é"])("the attribute name %j is refused", (name) => {
    expect(() => decode([...required(binding), [prefix + name, "x"]], null, binding)).toThrow(malformed);
  });
  test("names of Object.prototype are extensions like any other, and nothing is polluted", () => {
    const read = decode([...required(binding), [`${prefix}constructor`, "x"]], null, binding);
    expect(read.extensions.constructor).toBe("x");
    expect(Object.getPrototypeOf(read.extensions)).toBeNull();
    expect(decode(required(binding), null, binding).extensions.constructor).toBeUndefined();
  });
  test("headers of others are none of the event's", () => {
    const read = decode([...required(binding), ["Nats-Msg-Id", "1"], ["x-ce-a", "1"]], null, binding);
    expect(Object.keys(read.extensions)).toEqual([]);
  });
  test.each(['{"__proto__":{"x":1}}', '{"a":[{"\\u005f_proto__":1}]}', '{"a":{"\\u005F\\u005fproto__":1}}'])(
    "JSON with the member __proto__ is refused: %s",
    (body) => {
      expect(() => decode(required(binding), body, binding)).toThrow(/__proto__/);
    },
  );
  test("text that only mentions __proto__ is fine", () => {
    expect(decode(required(binding), '["__proto__"]', binding).data).toEqual(["__proto__"]);
  });
  test.each(["{", "nul", '{"a":}', new Uint8Array([0x22, 0xff, 0x22])])(
    "a body that is not JSON is refused: %s",
    (body) => {
      expect(() => decode(required(binding), body, binding)).toThrow(malformed);
    },
  );
});

describe("a body in Node's own kind of bytes", () => {
  const read = (...body: number[]) => decode(required(kafka), Buffer.from(body), kafka);
  test.each([
    [0x22, 0xff, 0x22],
    [0x22, 0xe2, 0x82, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ])("is refused where it is no UTF-8: %#", (...body) => {
    expect(() => read(...body)).toThrow(malformed);
  });
  test("may hold U+FFFD where its sender wrote that", () => {
    expect(read(0x22, 0xef, 0xbf, 0xbd, 0x22).data).toBe("\ufffd");
  });
  test("may begin with a byte order mark", () => {
    expect(read(0xef, 0xbb, 0xbf, 0x31).data).toBe(1);
  });
});

test("bytes are a plain Uint8Array, whatever a client hands over, and not copied", () => {
  const body = Buffer.from([1, 2, 3]);
  const { data } = decode([...required(kafka), ["content-type", "image/png"]], body, kafka);
  expect(data).toEqual(new Uint8Array([1, 2, 3])); // strict about the kind
  expect((data as Uint8Array).buffer).toBe(body.buffer);
});
