import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { metaControl } from "./meta-control.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function runControls(...args: string[]): { status: number | null; output: string } {
  // The run inside must not take itself for a worker of this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|TEST)/.test(name)));
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/controls.mjs", ...args], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

test("a control that turns nothing off is told, and ends the command with 1", () => {
  const { status, output } = runControls(metaControl.id);
  expect(output).toContain(`FAILED:  ${metaControl.id}: still passes: 1 tests pass without the guard`);
  expect(status).toBe(1);
});

test("a guard whose absence is noticed ends it with 0", () => {
  const { status, output } = runControls("memory.dedup-id");
  expect(output).toContain("1 guards noticed, 0 not");
  expect(status).toBe(0);
});

test("a name that no control begins with ends it with 1", () => {
  const { status, output } = runControls("nothing");
  expect(output).toContain("No control begins with nothing.");
  expect(status).toBe(1);
});
