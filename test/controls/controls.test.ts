import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { allControls, controls } from "./all-controls.ts";
import { rewrite } from "./control.ts";
import { metaControl } from "./meta-control.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test("ids are different and say their area", () => {
  const ids = allControls.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(\.[a-z]+(-[a-z]+)*)$/);
  expect(controls).not.toContain(metaControl);
});

test.each(allControls.map((control) => [control.id, control] as const))("%s still applies", (_, control) => {
  expect(control.file).toMatch(/^(core|adapters)\//);
  const source = readFileSync(at(control.file), "utf8");
  expect(rewrite(control, source) === source).toBe(false);
  for (const file of control.tests) expect(existsSync(at(file)), file).toBe(true);
});

describe("a control is out of date", () => {
  test.each([
    ["is gone", "other"],
    ["occurs twice", "guard guard"],
  ])("when its text %s", (_, source) => {
    const control = { ...metaControl, from: "guard", to: "" };
    expect(() => rewrite(control, source)).toThrow(/control meta\.comment: its text occurs \d times/);
  });
});
