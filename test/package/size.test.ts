import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SizeRow } from "../../scripts/size.mjs";
import { root } from "./support/sources.ts";

/** The fixture's tiny package with this repository's own size script: the script measures the tree it lies in. */
let project = "";
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "waybill-size-"));
  cpSync(join(root, "scripts"), join(project, "scripts"), { recursive: true });
  cpSync(join(root, "test/fixtures/size"), project, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe("npm run size", () => {
  const run = (...args: string[]): { status: number | null; stdout: string } =>
    spawnSync(process.execPath, [join(project, "scripts/size.mjs"), ...args], { cwd: project, encoding: "utf8" });

  // An entry without a budget is what `exports.test.ts` refuses.
  test("fails above a budget, and for sizes in the README that are not measured", () => {
    const { status, stdout } = run();
    expect(status).toBe(1);
    const failures = stdout.split("\n").filter((line) => line.startsWith("FAILED"));
    expect(failures).toEqual([
      expect.stringMatching(/^FAILED {2}core: createEventBus, defineEvents: \d+ bytes over its budget$/),
      expect.stringContaining("the README's sizes are not the measured ones"),
    ]);
  });

  test("lets an entry within its budget through", () => {
    const rows = JSON.parse(run("--json").stdout) as SizeRow[];
    const whole = rows.find(({ entry }) => entry === "waybill")!;
    expect(whole.bytes).toBeGreaterThan(0);
    expect(whole.problem).toBeUndefined();
  });
});
