// `npm run controls`: turns off one guard after the other and runs its tests, of which one has to fail.
// `npm run controls -- kafka nats.outage` runs those whose ids begin so.
import { tsImport } from "tsx/esm/api";
import { runTests } from "./lib/controls.mjs";
import { checkNode } from "./lib/dependencies.mjs";
import { duration, table } from "./lib/report.mjs";

/** @typedef {import("../test/controls/control.ts").Control} Control */

const load = (file) => tsImport(`../test/controls/${file}`, import.meta.url);

/** @param {readonly string[]} wanted */
async function select(wanted) {
  const { allControls, controls } = await load("all-controls.ts");
  if (wanted.length === 0) return controls;
  const unknown = wanted.filter((prefix) => !allControls.some(({ id }) => id.startsWith(prefix)));
  if (unknown.length > 0) throw new Error(`No control begins with ${unknown.join(", ")}.`);
  return allControls.filter(({ id }) => wanted.some((prefix) => id.startsWith(prefix)));
}

/** @param {Control} control */
async function judgeOne(control, withGuards) {
  const [{ judge }, { appliedLine }] = [await load("verdict.ts"), await load("plugin.ts")];
  const { id, tests, title } = control;
  const { report, output, durationMs } = await runTests({ control: id, files: tests, title });
  const own = withGuards.tests.filter(({ name }) => tests.some((file) => name.startsWith(`${file} > `)));
  const verdict = judge({ ...withGuards, tests: own }, report, output.includes(appliedLine(id)));
  return { control, verdict, output, durationMs };
}

async function main() {
  checkNode();
  const chosen = await select(process.argv.slice(2));
  const startedMs = performance.now();
  // Once with every guard: a test that is red anyway notices nothing.
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const { report: withGuards, output } = await runTests({ files });
  if (!withGuards) throw new Error(`The tests do not run with the guards either:\n${output}`);
  const results = [];
  for (const control of chosen) {
    const result = await judgeOne(control, withGuards);
    results.push(result);
    const { kind, why, red } = result.verdict;
    console.log(
      `${kind === "noticed" ? "ok    " : "FAILED"} ${control.id}: ${red ? `${red.length} red` : `${kind}: ${why}`}`,
    );
  }
  const rows = results.map(({ control: { id, guard }, verdict, durationMs }) => [
    id,
    guard,
    verdict.kind === "noticed" ? verdict.red.length : verdict.kind,
    duration(durationMs),
  ]);
  console.log(`\n${table(["control", "guard", "tests that turned red", "time"], rows)}\n`);
  const failed = results.filter(({ verdict }) => verdict.kind !== "noticed");
  for (const { control, verdict, output } of failed) {
    console.log(`FAILED:  ${control.id}: ${verdict.kind}: ${verdict.why}`);
    if (verdict.kind === "broken") console.log(output);
  }
  const noticed = results.length - failed.length;
  console.log(`${noticed} guards missed, ${failed.length} not, in ${duration(performance.now() - startedMs)}`);
  return failed.length > 0 ? 1 : 0;
}

process.exit(await main());
