import { describe, expect, test } from "vitest";
import { comparisons, themes } from "../../bench/registry.ts";
import { benchmarksPage } from "../../bench/report/page.ts";
import { resultOf, rowOf } from "./results.ts";

const listed = [
  { name: "a-post", theme: "Publishing" },
  { name: "b-consume", theme: "Consuming" },
] as const;
const lineWith = (page: string, text: string): string => page.split("\n").find((line) => line.includes(text)) ?? "";

describe("the page of benchmarks", () => {
  test("shows a met due as met", () => {
    const page = benchmarksPage(listed, [resultOf("a-post", [rowOf("Posting", 1.52, { atLeast: 1.4 })])]);
    expect(lineWith(page, "Posting")).toBe(
      "| `a-post` | Posting | ours: 12,300/s | theirs: 9,880/s | 1.52 |  | ≥ 1.4 | met |",
    );
  });

  test("shows a missed due as MISSED, and counts it at the top", () => {
    const rows = [rowOf("Posting", 1.3, { atLeast: 1.4 }), rowOf("Growth", 2.5, { atMost: 2 })];
    const page = benchmarksPage(listed, [resultOf("a-post", rows)]);
    expect(lineWith(page, "Posting")).toMatch(/1\.30 \| .*\*\*MISSED\*\* \|$/);
    expect(lineWith(page, "Growth")).toMatch(/\*\*MISSED\*\* \|$/);
    expect(page).toContain("0 are met and 2 missed");
  });

  test("does not round a missed due into a met one", () => {
    const rows = [rowOf("Posting", 1.3999, { atLeast: 1.4 }), rowOf("Heap", 1.0104, { atMost: 1.01 })];
    const page = benchmarksPage(listed, [resultOf("a-post", rows)]);
    expect(lineWith(page, "Posting")).toContain("| 1.3999 |");
    expect(lineWith(page, "Heap")).toContain("| 1.0104 |");
  });

  test("says of a comparison without a result that it was not run", () => {
    const page = benchmarksPage(listed, [resultOf("a-post", [rowOf("Posting", 2)])]);
    expect(lineWith(page, "`b-consume`")).toContain("**not run**");
    expect(page).toContain("1 were not run");
  });

  test("says why a row has no figures", () => {
    const page = benchmarksPage(listed, [resultOf("a-post", [{ measure: "In Go", note: "Go not found" }])]);
    expect(lineWith(page, "In Go")).toBe("| `a-post` | In Go [1] |  |  |  |  |  | **not run** |");
    expect(page).toContain("[1] Go not found.");
  });

  test("leaves smoke runs out", () => {
    const page = benchmarksPage(listed, [resultOf("a-post", [rowOf("Posting", 9)], { smoke: true })]);
    expect(page).not.toContain("Posting");
    expect(lineWith(page, "`a-post`")).toContain("**not run**");
  });

  test("names every version when parts were run with different ones", () => {
    const page = benchmarksPage(listed, [
      resultOf("a-post", [rowOf("Posting", 2)]),
      resultOf("b-consume", [rowOf("Consuming", 2)], { versions: { Node: "20.1.0", Bun: "1.4.5" } }),
    ]);
    expect(page).toContain("| Node | 20.0.0; 20.1.0 |");
    expect(page).toContain("| Bun | 1.4.5 |");
    expect(page).toContain("| cores | 4 |");
  });

  test("has no figure of its own: without results only words, and the names of what was measured", () => {
    const page = benchmarksPage(listed, []);
    const words = page.replaceAll("p50 and p99", "");
    expect(words.match(/\d+/g)).toEqual(["0", "0", "2"]); // met, missed and not run
  });
});

test("every comparison has a name and a theme of its own table", () => {
  const names = comparisons.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect([...new Set(comparisons.map(({ theme }) => theme))]).toEqual([...themes]);
});
