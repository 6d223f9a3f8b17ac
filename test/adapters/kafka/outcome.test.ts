import { describe, expect, it } from "vitest";
import { commitFailure, reportFailure, thrownFailure } from "../../../adapters/kafka/confluent/errors.ts";
import { notStored, storedAt } from "../../../adapters/kafka/outcome.ts";

const vendor = (code: number, more: object = {}): Error => Object.assign(new Error(`code ${code}`), { code, ...more });

describe("the outcome of a record", () => {
  it.each([
    [10, "failed", "too-large"],
    [17, "failed", "invalid-destination"],
    [3, "failed", "invalid-destination"],
    [29, "failed", "denied"],
    [-152, "failed", "transport-failed"],
    [-192, "unknown", "timeout"],
    [-151, "unknown", "transport-failed"],
    [20, "unknown", "transport-failed"],
    [-1, "unknown", "transport-failed"],
  ] as const)("is, for a report of %i, %s with %s", (code, outcome, errorCode) => {
    const cause = vendor(code);
    const failure = reportFailure(cause);
    expect(failure).toMatchObject({ outcome, fatal: false, error: { code: errorCode, cause } });
    expect(notStored(failure)).toMatchObject({ stored: false, outcome, retrySafe: outcome === "failed" });
  });

  it.each([-144, -150])("is unknown and ends the producer for a report of %i", (code) => {
    expect(reportFailure(vendor(code))).toMatchObject({ outcome: "unknown", fatal: true });
  });

  it.each([
    [10, false, "too-large", false],
    [-190, false, "invalid-destination", false],
    [-184, false, "buffer-full", true],
    [-150, true, "transport-failed", true],
  ] as const)("is failed for %i thrown before the record was queued", (code, fatal, errorCode, retryable) => {
    expect(thrownFailure(vendor(code))).toMatchObject({
      outcome: "failed",
      fatal,
      error: { code: errorCode, retryable },
    });
  });

  it("is unknown when the binding itself throws, which it also does after queueing", () => {
    expect(thrownFailure(new Error("Header value must be a string or buffer"))).toMatchObject({ outcome: "unknown" });
  });

  it("names the place, and only the partition when the broker had the record already", () => {
    expect(storedAt(3, 12)).toEqual({ stored: true, at: { partition: 3, offset: 12 } });
    expect(storedAt(3, -1001)).toEqual({ stored: true, at: { partition: 3 } });
  });
});

describe("a refused commit", () => {
  it("is fenced where a rebalance is the reason, and a failure otherwise", () => {
    for (const code of [22, 25, 27])
      expect(commitFailure(vendor(code))).toMatchObject({ code: "fenced", retryable: true });
    expect(commitFailure(vendor(-180))).toMatchObject({ code: "transport-failed", retryable: true });
    expect(commitFailure(vendor(30))).toMatchObject({ code: "denied", retryable: false });
  });
});
