import { expect, test } from "vitest";
import { ratioChart } from "../../bench/report/chart.ts";
import { resultOf, rowOf } from "./results.ts";

const attribute = (svg: string, element: RegExp, name: string): number[] =>
  [...svg.matchAll(element)].map(([tag]) => Number(new RegExp(`\\b${name}="([\\d.]+)"`).exec(tag)?.[1]));

const bars = (svg: string): string[] => [...svg.matchAll(/<rect class="(\w+)"/g)].map(([, kind]) => kind!);

test("a bar that misses its due is told by a word and a colour", () => {
  const rows = [rowOf("Good", 2, { atLeast: 1.5 }), rowOf("Bad", 1.2, { atLeast: 1.5 })];
  const svg = ratioChart([resultOf("a", rows)]);
  expect(bars(svg)).toEqual(["met", "missed"]);
  expect(svg).toContain(">1.20 MISSED</text>");
  expect(svg).toContain("Good: 2.00, due ≥ 1.5, met. Bad: 1.20, due ≥ 1.5, MISSED.</desc>");
});

test("the due is a mark that a met bar reaches and a missed one does not", () => {
  const rows = [rowOf("Good", 2, { atLeast: 1.5 }), rowOf("Bad", 1.2, { atLeast: 1.5 })];
  const svg = ratioChart([resultOf("a", rows)]);
  const starts = attribute(svg, /<rect [^>]*>/g, "x");
  const widths = attribute(svg, /<rect [^>]*>/g, "width");
  const dues = attribute(svg, /<line class="due"[^>]*>/g, "x1");
  expect(starts[0]! + widths[0]!).toBeGreaterThan(dues[0]!);
  expect(starts[1]! + widths[1]!).toBeLessThan(dues[1]!);
  expect(dues[0]).toBe(dues[1]);
});

test("what must not grow has a group of its own, where staying below the due is good", () => {
  const svg = ratioChart([resultOf("a", [rowOf("Speed", 3, { atLeast: 1 }), rowOf("Cost", 1.2, { atMost: 2 })])]);
  expect([...svg.matchAll(/class="head"[^>]*>([^<]+)</g)].map(([, text]) => text)).toEqual([
    "Faster than theirs: longer is better",
    "Growth of cost or heap: shorter is better",
  ]);
  expect(bars(svg)).toEqual(["met", "met"]);
});

test("rows without a due, smoke runs and rows without figures are not drawn", () => {
  const svg = ratioChart([
    resultOf("a", [rowOf("No due", 2), { measure: "In Go", note: "Go not found" }]),
    resultOf("b", [rowOf("Smoke", 2, { atLeast: 1 })], { smoke: true }),
  ]);
  expect(bars(svg)).toEqual([]);
  expect(svg).toContain("Nothing was measured yet.");
});

test("it has a title, a description, and colours for light and dark", () => {
  const svg = ratioChart([resultOf("a", [rowOf("A < B & C", 2, { atLeast: 1 })])]);
  expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="title desc">/);
  expect(svg).toContain("A &lt; B &amp; C");
  expect(svg).toContain("@media (prefers-color-scheme: dark)");
});
