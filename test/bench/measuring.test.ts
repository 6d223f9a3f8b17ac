import { describe, expect, test } from "vitest";
import { verdictOf } from "../../bench/result.ts";
import { median, quantile } from "../../bench/support/statistics.ts";
import { scaled } from "../../bench/support/turns.ts";
import { rowOf } from "./results.ts";

describe("statistics", () => {
  test("a quantile is the nearest rank, whatever the order", () => {
    const values = Array.from({ length: 100 }, (_, n) => 100 - n);
    expect(quantile(values, 0.5)).toBe(50);
    expect(quantile(values, 0.99)).toBe(99);
    expect(quantile(values, 1)).toBe(100);
    expect(median([3, 1, 2])).toBe(2);
  });

  test("no values have no median", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("a verdict", () => {
  test("is met at the due itself, in both directions", () => {
    expect(verdictOf(rowOf("a", 1.4, { atLeast: 1.4 }))).toBe("met");
    expect(verdictOf(rowOf("a", 1.01, { atMost: 1.01 }))).toBe("met");
  });

  test("is MISSED beyond it, and when there is no ratio to judge", () => {
    expect(verdictOf(rowOf("a", 1.39, { atLeast: 1.4 }))).toBe("MISSED");
    expect(verdictOf(rowOf("a", 1.02, { atMost: 1.01 }))).toBe("MISSED");
    expect(verdictOf(rowOf("a", Number.NaN, { atLeast: 1 }))).toBe("MISSED");
  });

  test("is none without a due", () => {
    expect(verdictOf(rowOf("a", 0.1))).toBe("");
  });
});

test("the lengths of a real run are those that a comparison names", () => {
  expect(scaled({ count: 8_192, rounds: 60, warmUp: 6 })).toEqual({ count: 8_192, rounds: 60, warmUp: 6 });
});
