import { describe, expect, it } from "vitest";
import { ConfluentRecord, vendorHeaders, vendorKey, vendorValue } from "../../../adapters/kafka/confluent/records.ts";
import { KafkaHeaders } from "../../../adapters/kafka/headers.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("KafkaHeaders", () => {
  const headers = new KafkaHeaders([
    "a",
    bytes("1"),
    "b",
    bytes("ключ 🌎"),
    "A",
    "2",
    "__proto__",
    bytes("x"),
    "n",
    null,
  ]);

  it("reads the first value, whatever the case of its name", () => {
    expect(headers.get("A")).toBe("1");
    expect(new KafkaHeaders(["TraceParent", bytes("t")]).get("traceparent")).toBe("t");
    expect(headers.get("b")).toBe("ключ 🌎");
    expect(headers.get("missing")).toBeUndefined();
  });

  it("keeps duplicates in their order", () => {
    expect(headers.getAll("a")).toEqual(["1", "2"]);
  });

  it("treats __proto__ as a name like any other", () => {
    expect(headers.get("__proto__")).toBe("x");
    expect(headers.get("constructor")).toBeUndefined();
    expect(headers.keys()).toEqual(["a", "b", "A", "__proto__", "n"]);
  });

  it("reads null as empty", () => {
    expect(headers.get("n")).toBe("");
  });

  it("replaces every value of a name by one, in place of the first", () => {
    const copy = new KafkaHeaders(["a", "1", "b", "2", "A", "3"]);
    copy.set("a", "4");
    expect(copy.raw).toEqual(["a", "4", "b", "2"]);
    copy.set("c", "5");
    expect(copy.raw).toEqual(["a", "4", "b", "2", "c", "5"]);
  });
});

describe("records for the confluent client", () => {
  const read = (headers: object[]): unknown =>
    new ConfluentRecord({ topic: "t", partition: 0, offset: 1, key: null, value: null, timestamp: 0, size: 0, headers })
      .headers;

  it("make one object of one property per header", () => {
    expect(vendorHeaders(["a", "1", "a", bytes("2")])).toEqual([{ a: "1" }, { a: bytes("2") }]);
    expect(vendorHeaders([])).toBeUndefined();
  });

  it("carry __proto__ as an own property, and read the one the binding made a prototype of", () => {
    const [written] = vendorHeaders(["__proto__", "x"])!;
    expect(Object.keys(written!)).toEqual(["__proto__"]);
    const received = Object.setPrototypeOf({}, bytes("x")) as object;
    expect(read([received, { b: bytes("y") }])).toEqual(["__proto__", bytes("x"), "b", bytes("y")]);
  });

  it("never hand over what the binding would write as null or cut at NUL", () => {
    expect(vendorHeaders(["e", new Uint8Array(0), "n", "a\0b"])).toEqual([{ e: "" }, { n: Buffer.from("a\0b") }]);
    expect(vendorValue(new Uint8Array(0))?.buffer.byteLength).toBeGreaterThan(0);
    expect(vendorValue(null)).toBeNull();
    expect(vendorKey("")).toBe("");
    expect(vendorKey(undefined)).toBeNull();
    expect(vendorKey("a\0b")).toEqual(Buffer.from("a\0b"));
  });
});
