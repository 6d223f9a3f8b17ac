import { describe, expect, test } from "vitest";
import type { CaseResult } from "waybill/testing";
import type { KnownGap } from "./known-gaps.ts";
import type { Cell } from "./matrix.ts";
import { type CellRecord, drift, judge } from "./results.ts";

const cell: Cell = { runtime: "bun", transport: "memory", cases: "core", concurrency: 1 };
const result = (id: string, status: CaseResult["status"], reason?: string): CaseResult => ({
  id,
  status,
  elapsedMs: 1,
  ...(reason === undefined ? {} : { reason }),
});
const gap: KnownGap = { runtime: "bun", transport: "*", case: "a", reason: "why", link: "docs/x.md" };

describe("the outcome of a cell", () => {
  test("has what passed and what was skipped, in order, without times", () => {
    const { record, problems } = judge(
      cell,
      ["a", "b"],
      [result("b", "passed"), result("a", "skipped", "lacks groups")],
      [],
    );
    expect(record).toMatchObject({ passed: ["b"], skipped: { a: "lacks groups" }, gaps: {} });
    expect(problems).toEqual([]);
    expect(JSON.stringify(record)).not.toContain("elapsed");
  });
  test("fails for a failure that is not known", () => {
    expect(judge(cell, ["a"], [result("a", "failed", "broken")], []).problems).toEqual(["a: broken"]);
  });
  test("takes a known gap, with its reason and link", () => {
    const { record, problems } = judge(cell, ["a"], [result("a", "failed", "broken")], [gap]);
    expect([record.gaps, problems]).toEqual([{ a: "why (docs/x.md)" }, []]);
  });
  test("fails for a known gap that passes, and only where it is listed", () => {
    expect(judge(cell, ["a"], [result("a", "passed")], [gap]).problems).toHaveLength(1);
    expect(judge({ ...cell, runtime: "deno" }, ["a"], [result("a", "passed")], [gap]).problems).toEqual([]);
  });
  test("fails for a case without a result", () => {
    expect(judge(cell, ["a", "b"], [result("b", "passed")], []).problems).toEqual(["a: no result"]);
  });
});

describe("drift", () => {
  const record = (more: Partial<CellRecord>): CellRecord => ({
    runtime: "bun",
    transport: "memory",
    cases: "core",
    passed: ["a"],
    skipped: {},
    gaps: {},
    ...more,
  });
  test("is none between equal runs", () => {
    expect(drift([record({})], [record({})])).toEqual([]);
  });
  test("names a cell whose outcome changed, one that is new and one that is gone", () => {
    expect(drift([record({})], [record({ passed: [] })])).toEqual(["bun × memory"]);
    expect(drift([], [record({})])).toEqual(["bun × memory"]);
    expect(drift([record({})], [])).toEqual(["bun × memory"]);
  });
});
