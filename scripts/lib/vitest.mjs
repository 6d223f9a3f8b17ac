import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { at, cache } from "./paths.mjs";
import { run } from "./run.mjs";

/**
 * @typedef {{ passed: number, failed: number, skips: { title: string, reason: string }[], failures: string[] }} Counts
 */

/**
 * Runs one project of vitest.config.ts and counts its tests.
 *
 * @param {string} project
 * @param {{ collect?: boolean, timeoutMs?: number, env?: Record<string, string>, node?: string }} [options] `node` is
 *   the binary to run it with.
 * @returns {Promise<Counts & { output: string, durationMs: number }>}
 */
export async function runVitest(project, { collect = false, timeoutMs, env = {}, node = process.execPath } = {}) {
  mkdirSync(cache("reports"), { recursive: true });
  const report = cache("reports", `${project}.json`);
  rmSync(report, { force: true });
  const reporters = ["--reporter=default", `--reporter=${at("scripts/lib/summary-reporter.mjs")}`];
  const vitest = at("node_modules", "vitest", "vitest.mjs");
  const { code, output, durationMs, timedOut } = await run(node, [vitest, "run", "--project", project, ...reporters], {
    collect,
    timeoutMs,
    env: { ...env, WAYBILL_REPORT: report },
  });

  const none = { passed: 0, failed: 0, skips: [], failures: [] };
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : none;
  const fail = (what) => {
    counts.failed += 1;
    counts.failures.push(what);
  };
  if (timedOut) fail(`${project}: not finished after ${timeoutMs} ms`);
  else if (counts.passed + counts.failed === 0) fail(`${project}: no test ran`);
  else if (code !== 0 && counts.failed === 0) fail(`${project}: vitest ended with exit code ${code}`);
  return { ...counts, output, durationMs };
}
