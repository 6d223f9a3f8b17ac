import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toBase64 } from "../../../core/codec/base64.ts";
import { fromBase64 } from "../../../core/codec/read-base64.ts";

const buffer = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

describe("base64", () => {
  // RFC 4648, section 10.
  test.each([
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ])("of %j is %j", (text, encoded) => {
    expect(toBase64(new TextEncoder().encode(text))).toBe(encoded);
    expect(new TextDecoder().decode(fromBase64(encoded))).toBe(text);
  });

  test("is what Node makes of any bytes, and back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(toBase64(bytes)).toBe(buffer(bytes));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([24_575, 24_576, 24_577, 49_152, 1_048_576])("of %i bytes has no seam where it is cut", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
    expect(toBase64(bytes)).toBe(buffer(bytes));
    expect(Buffer.compare(fromBase64(buffer(bytes)), bytes)).toBe(0);
  });

  test("of a view is of its part alone", () => {
    expect(toBase64(new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4))).toBe(buffer(new Uint8Array([2, 3, 4])));
  });

  test.each([
    ["without its padding", "Zg"],
    ["with half its padding", "Zg="],
    ["with too much padding", "Zm9v===="],
    ["with padding inside", "Zg==Zm8="],
    ["with padding alone", "===="],
    ["with white space", "Zm9v\nZm9v"],
    ["with white space around", " Zm9v"],
    ["of the URL alphabet", "-_-_"],
    ["with other characters", "Zm9*"],
    ["with characters beyond ASCII", "Zm9é"],
    ["with bits left over after two characters", "Zh=="],
    ["with bits left over after three", "Zm9="],
  ])("%s is refused", (_, text) => {
    expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: "malformed-message" }));
  });
});
