import fc from "fast-check";
import { expect, test } from "vitest";
import { exponentialBackoff, fixedBackoff, linearBackoff } from "waybill";

const failures = Array.from({ length: 8 }, (_, n) => n + 1);

test("exponential waits double up to their bound, and full jitter takes a part of each", () => {
  const plain = exponentialBackoff({ initialMs: 100, maxMs: 5_000, jitter: "none" });
  expect(failures.map(plain)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  const fractions = [0, 0.25, 0.5, 0.999_999];
  const jittered = fractions.map((fraction) =>
    exponentialBackoff({ initialMs: 100, maxMs: 5_000, random: () => fraction })(3),
  );
  expect(jittered).toEqual([0, 100, 200, 400]);
});

test("a factor that is no whole number counts in full", () => {
  expect(failures.slice(0, 4).map(exponentialBackoff({ initialMs: 1_000, factor: 1.5, jitter: "none" }))).toEqual([
    1_000, 1_500, 2_250, 3_375,
  ]);
});

test("linear waits grow by the step, fixed ones stay", () => {
  expect(failures.slice(0, 3).map(linearBackoff(1_000))).toEqual([1_000, 2_000, 3_000]);
  expect(linearBackoff(1_000, { maxMs: 2_500 })(9)).toBe(2_500);
  expect(failures.slice(0, 2).map(fixedBackoff(70))).toEqual([70, 70]);
});

test("no wait is below 0 or above the bound, whatever the options", () => {
  const options = fc.record({
    initialMs: fc.integer({ min: 0, max: 100_000 }),
    maxMs: fc.integer({ min: 0, max: 2_147_483_647 }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    random: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
    failure: fc.integer({ min: 1, max: 10_000 }),
  });
  fc.assert(
    fc.property(options, ({ random, failure, ...given }) => {
      const waitMs = exponentialBackoff({ ...given, random: () => random })(failure);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThanOrEqual(given.maxMs);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  () => exponentialBackoff({ initialMs: -1 }),
  () => exponentialBackoff({ maxMs: Number.NaN }),
  () => exponentialBackoff({ factor: 0.5 }),
  () => linearBackoff(2 ** 31),
  () => fixedBackoff(-5),
])("an impossible wait is refused: %s", (make) => {
  expect(make).toThrow(expect.objectContaining({ code: "invalid-option" }));
});
