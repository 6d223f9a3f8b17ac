import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { conformanceCases } from "waybill/testing";
import { knownGaps } from "../conformance/known-gaps.ts";
import { cells } from "../conformance/matrix.ts";
import { conformancePage, readmeWith, supportTable } from "../conformance/pages.ts";
import { readRecords } from "../conformance/results.ts";
import { root } from "./support/sources.ts";

const text = (file: string): string => readFileSync(join(root, file), "utf8");

describe("the support table", () => {
  const records = readRecords();

  test("of README.md and docs/conformance.md is that of the recorded run", () => {
    expect(readmeWith(records, text("README.md"))).toBe(text("README.md"));
    expect(conformancePage(records)).toBe(text("docs/conformance.md"));
  });
  test("has no cell that was not run", () => {
    expect(cells.filter(({ runtime, transport }) => !has(records, runtime, transport))).toEqual([]);
    expect(supportTable(records)).not.toContain("NOT RUN");
  });
  test("shows a cell that was not run, and a changed one is seen in README.md", () => {
    expect(supportTable(records.slice(1))).toContain("NOT RUN");
    const changed = records.map((record, n) => (n === 0 ? { ...record, passed: [] } : record));
    expect(readmeWith(changed, text("README.md"))).not.toBe(text("README.md"));
  });
  test("counts cases that are there", () => {
    const known = new Set(conformanceCases.map(({ id }) => id));
    const named = records.flatMap(({ passed, skipped, gaps }) => [
      ...passed,
      ...Object.keys(skipped),
      ...Object.keys(gaps),
    ]);
    expect([...new Set(named)].filter((id) => !known.has(id))).toEqual([]);
    // Node 24 says something of every case.
    for (const { runtime, passed, skipped, gaps } of records) {
      if (runtime !== "node-24") continue;
      expect(passed.length + Object.keys(skipped).length + Object.keys(gaps).length).toBe(known.size);
    }
  });
});

describe("the cases", () => {
  test("have names of their own, and there are at least 45", () => {
    const ids = conformanceCases.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(45);
    for (const id of ids) expect(id).toMatch(/^[a-z-]+\.[a-z-]+$/);
  });
  test("that are known gaps exist, with a reason and a link", () => {
    const ids = new Set(conformanceCases.map(({ id }) => id));
    for (const gap of knownGaps) {
      expect(ids.has(gap.case), gap.case).toBe(true);
      expect([gap.reason.length > 10, gap.link.length > 5], gap.case).toEqual([true, true]);
    }
  });
});

function has(records: ReturnType<typeof readRecords>, runtime: string, transport: string): boolean {
  return records.some((record) => record.runtime === runtime && record.transport === transport);
}
