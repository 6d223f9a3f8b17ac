import { describe, expect, test } from "vitest";
import type { CloudEvent, Limits } from "waybill";
import { pairHeaders } from "../../../adapters/memory/headers.ts";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";

type Pair = [name: string, value: string];
const nats = { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true };
const required: Pair[] = [
  ["ce-specversion", "1.0"],
  ["ce-id", "1"],
  ["ce-source", "/s"],
  ["ce-type", "t"],
];
const malformed = expect.objectContaining({ code: "malformed-message" });
const tooLarge = expect.objectContaining({ code: "too-large" });

function decode(headers: Pair[], body: string | Uint8Array | null, limits?: Partial<Limits>): CloudEvent {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const message = { destination: "d", headers: pairHeaders(headers), body: bytes };
  return decodeMessage(message, nats, { ...defaultLimits, ...limits });
}

describe("what is too large to read", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  test("JSON may nest 64 deep and no deeper", () => {
    expect(JSON.stringify(decode(required, nested(64)).data)).toBe(nested(64));
    expect(() => decode(required, nested(65))).toThrow(/64/);
    expect(() => decode(required, `${'{"a":'.repeat(65)}1${"}".repeat(65)}`)).toThrow(malformed);
    expect(() => decode(required, "[".repeat(500_000))).toThrow(malformed);
    expect(() => decode(required, nested(3), { maxJsonDepth: 2 })).toThrow(malformed);
  });
  test("brackets in strings do not count as nesting", () => {
    const text = `"${"[{".repeat(100)}`;
    expect(decode(required, JSON.stringify([text])).data).toEqual([text]);
  });
  test("256 header values are read and 257 are not", () => {
    const headers = (n: number): Pair[] => [
      ...required,
      ...Array.from({ length: n - 4 }, (_, i): Pair => [`x-${i % 9}`, "1"]),
    ];
    expect(decode(headers(256), null).id).toBe("1");
    expect(() => decode(headers(257), null)).toThrow(tooLarge);
    expect(() => decode(headers(5), null, { maxHeaders: 4 })).toThrow(/5 headers .* 4 /);
  });
  test("headers of 64 KiB together are read and larger are not", () => {
    const used = required.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    const filler = (total: number): Pair[] => [...required, ["x", "v".repeat(total - used - 1)]];
    expect(decode(filler(65_536), null).id).toBe("1");
    expect(() => decode(filler(65_537), null)).toThrow(tooLarge);
  });
  test("a body of 1 MiB is read and a larger one is not", () => {
    const typed: Pair[] = [...required, ["ce-datacontenttype", "application/octet-stream"]];
    expect(decode(typed, new Uint8Array(1_048_576)).data).toHaveLength(1_048_576);
    expect(() => decode(typed, new Uint8Array(1_048_577))).toThrow(/1048577 bytes, 1048576/);
  });
});
