import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judge, type TestReport } from "./verdict.ts";

/**
 * Reports that `scripts/lib/controls-reporter.mjs` wrote of a file with two tests, of which the second does as the name
 * of the report says: fails an assertion, hangs, refutes a property, calls what is no function, and so on.
 */
const recorded = (name: string): TestReport =>
  JSON.parse(readFileSync(new URL(`recorded/${name}.json`, import.meta.url), "utf8"));
const green = recorded("green");

test("a guard is noticed when one of its tests turns red", () => {
  expect(judge(green, recorded("assertion"), true)).toEqual({
    kind: "noticed",
    red: ["test/probe.test.ts > a probe > tells"],
  });
});

test("by the time-out of a test that hangs, and by a property", () => {
  expect(judge(green, recorded("hang"), true).kind).toBe("noticed");
  expect(judge(green, recorded("property"), true).kind).toBe("noticed");
});

test("a guard whose tests still pass is not", () => {
  expect(judge(green, green, true)).toEqual({ kind: "still passes", why: "2 tests pass without the guard" });
});

test("nor one whose source no test loads, whatever they say", () => {
  expect(judge(green, green, false).kind).toBe("not loaded");
  expect(judge(green, recorded("assertion"), false).kind).toBe("not loaded");
});

test.each(["mistake", "property-mistake", "import", "transform", "unhandled"])(
  "a rewrite that breaks the program says nothing about its guard: %s",
  (name) => {
    expect(judge(green, recorded(name), true).kind).toBe("broken");
  },
);

test("nor does a run without an end, or without a test", () => {
  expect(judge(green, undefined, true).kind).toBe("broken");
  expect(judge(green, { tests: [], elsewhere: [] }, true).kind).toBe("broken");
});

test("a test that is red with the guard as well notices nothing", () => {
  expect(judge(recorded("assertion"), recorded("assertion"), true)).toEqual({
    kind: "red with the guard",
    why: "test/probe.test.ts > a probe > tells",
  });
});
