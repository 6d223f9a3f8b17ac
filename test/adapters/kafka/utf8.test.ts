import { describe, expect, test } from "vitest";
import { decodeAgain, encode } from "../../../adapters/kafka/utf8.ts";

describe("what stands at a place of a record", () => {
  test.each([
    ["the same", "orders", "orders"],
    ["another of the same length", "orders", "order2"],
    ["a longer one with the same beginning", "order", "orders"],
    ["none", "orders", ""],
    ["one beyond ASCII, twice", "ключ", "ключ"],
  ])("is read as it is after %s", (_, first, second) => {
    for (const place of [0, 63, 64, 1_000]) {
      expect(decodeAgain(encode(first), place)).toBe(first);
      expect(decodeAgain(encode(second), place)).toBe(second);
    }
  });

  test("is not taken for Latin-1 of as many bytes", () => {
    expect(decodeAgain(encode("é"), 0)).toBe("é");
    expect(decodeAgain(Uint8Array.of(0xe9), 0)).toBe("\ufffd");
  });
});
