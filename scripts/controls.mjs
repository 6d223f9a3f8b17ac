// `npm run controls`: turns off one guard after the other and runs its tests, of which one has to fail.
// `npm run controls -- kafka nats.outage` runs those whose ids begin so.
import { availableParallelism } from "node:os";
import { tsImport } from "tsx/esm/api";
import { runTests } from "./lib/controls.mjs";
import { checkNode } from "./lib/dependencies.mjs";
import { duration, table } from "./lib/report.mjs";

/** @typedef {import("../test/controls/control.ts").Control} Control */
/** @typedef {import("../test/controls/verdict.ts").TestReport} TestReport */

const load = (file) => tsImport(`../test/controls/${file}`, import.meta.url);
const { allControls, controls } = await load("all-controls.ts");
const { judge, timeLimitMs } = await load("verdict.ts");
const { appliedLine } = await load("plugin.ts");

/** @param {readonly string[]} wanted */
function select(wanted) {
  if (wanted.length === 0) return controls;
  const unknown = wanted.filter((prefix) => !allControls.some(({ id }) => id.startsWith(prefix)));
  if (unknown.length > 0) throw new Error(`No control begins with ${unknown.join(", ")}.`);
  return allControls.filter(({ id }) => wanted.some((prefix) => id.startsWith(prefix)));
}

/**
 * @param {Control} control
 * @param {TestReport} all of the tests with every guard
 */
async function judgeOne(control, all) {
  const { id, tests, title } = control;
  const named = ({ name }) => tests.some((file) => name.startsWith(`${file} > `)) && new RegExp(title ?? "").test(name);
  const withGuard = { ...all, tests: all.tests.filter(named) };
  const testTimeoutMs = timeLimitMs(withGuard);
  const { report, output, durationMs } = await runTests({ control: id, files: tests, title, testTimeoutMs });
  return { control, verdict: judge(withGuard, report, output.includes(appliedLine(id))), output, durationMs };
}

/** @param {readonly Control[]} chosen */
async function judgeAll(chosen) {
  // Once with every guard: a test that is red anyway notices nothing.
  const { report: all, output } = await runTests({ files: [...new Set(chosen.flatMap(({ tests }) => tests))] });
  if (!all) throw new Error(`The tests do not run with the guards either:\n${output}`);
  const left = [...chosen.entries()];
  const results = [];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [n, control] = next;
      const result = await judgeOne(control, all);
      results[n] = result;
      const { kind, why, red } = result.verdict;
      const text = red ? `${red.length} red, ${duration(result.durationMs)}` : `${kind}: ${why}`;
      console.log(`${red ? "ok    " : "FAILED"} ${control.id}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  return results;
}

async function main() {
  checkNode();
  const startedMs = performance.now();
  const results = await judgeAll(select(process.argv.slice(2)));
  const rows = results.map(({ control: { id, guard }, verdict, durationMs }) => [
    `${id}: ${guard}`,
    verdict.kind === "noticed" ? verdict.red.length : verdict.kind,
    duration(durationMs),
  ]);
  console.log(`\n${table(["control: guard", "tests that turned red", "time"], rows)}\n`);
  const failed = results.filter(({ verdict }) => verdict.kind !== "noticed");
  for (const { control, verdict, output } of failed) {
    console.log(`FAILED:  ${control.id}: ${verdict.kind}: ${verdict.why}`);
    if (verdict.kind === "broken") console.log(output);
  }
  const noticed = results.length - failed.length;
  console.log(`${noticed} guards noticed, ${failed.length} not, in ${duration(performance.now() - startedMs)}`);
  return failed.length > 0 ? 1 : 0;
}

process.exit(await main());
