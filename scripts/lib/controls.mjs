import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { at, cache } from "./paths.mjs";
import { run } from "./run.mjs";

/** Vitest is given up after this, and then nothing is known. */
const runTimeoutMs = 120_000;
/** As above, for all tests of all controls. */
const allTimeoutMs = 600_000;
let runs = 0;

/**
 * Runs test files of the projects `unit`, `int` and `chaos`, without the guard of `control` where one is given.
 *
 * @param {{ control?: string, files: readonly string[], title?: string, testTimeoutMs?: number }} what
 * @returns {Promise<{ report?: import("../../test/controls/verdict.ts").TestReport, output: string, durationMs: number }>}
 */
export async function runTests({ control, files, title, testTimeoutMs }) {
  mkdirSync(cache("reports"), { recursive: true });
  // Two runs at a time do not meet.
  const path = cache("reports", `controls-${process.pid}-${++runs}.json`);
  rmSync(path, { force: true });
  const args = [
    at("node_modules", "vitest", "vitest.mjs"),
    "run",
    ...["--project", "unit", "--project", "int", "--project", "chaos"],
    `--reporter=${at("scripts/lib/controls-reporter.mjs")}`,
    ...(testTimeoutMs === undefined ? [] : [`--testTimeout=${testTimeoutMs}`]),
    ...(title === undefined ? [] : ["--testNamePattern", title]),
    ...files,
  ];
  const env = { WAYBILL_REPORT: path, WAYBILL_CONTROL: control };
  const { output, durationMs } = await run(process.execPath, args, {
    collect: true,
    timeoutMs: control === undefined ? allTimeoutMs : runTimeoutMs,
    env,
  });
  const report = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  rmSync(path, { force: true });
  return { report, output, durationMs };
}
