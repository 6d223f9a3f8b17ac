// `npm run bench [-- --write] [prefix …]`: the comparisons of bench/, each in a process of its own, or those whose names
// begin so. Ends with 1 when a due is missed. `--write` puts docs/benchmarks.md together from the results of this and of
// earlier runs. `--smoke` (or BENCH_SMOKE=1) shows in seconds that each works; its figures mean nothing.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { checkNode, ensureDependencies } from "./lib/dependencies.mjs";
import { at, cache, root } from "./lib/paths.mjs";

const flags = process.argv.slice(2).filter((arg) => arg.startsWith("--"));
const prefixes = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const smoke = flags.includes("--smoke") || process.env.BENCH_SMOKE === "1";
const write = flags.includes("--write");

function fail(message) {
  console.error(message);
  process.exit(1);
}

const unknown = flags.filter((flag) => flag !== "--smoke" && flag !== "--write");
if (unknown.length > 0) fail(`${unknown.join(", ")}: there are --write and --smoke.`);
if (write && smoke) fail("A smoke run is never written down.");
checkNode();
const { state, detail } = await ensureDependencies();
if (state === "missing") fail(detail);

// What these import is there only now.
const { buildBench } = await import("./lib/bench-build.mjs");
const { ensureTools } = await import("./lib/bench-tools.mjs");
const main = await buildBench();
const { benchmarksPage, comparisons, ratioChart } = await import(cache("bench", "report.mjs"));

const chosen = comparisons.filter(
  ({ name }) => prefixes.length === 0 || prefixes.some((each) => name.startsWith(each)),
);
if (chosen.length === 0) {
  fail(
    `No comparison begins with ${prefixes.join(" or ")}: there are ${comparisons.map(({ name }) => name).join(", ")}.`,
  );
}
if (!(await ensureTools(new Set(chosen.flatMap(({ tools }) => tools))))) process.exit(1);

console.log(`\nNode ${process.version}, for platformatic Node 24: medians of interleaved turns, theirs / ours\n`);
/** The longest takes a few minutes: one that takes so long waits for what never comes. */
const patienceMs = 20 * 60_000;
const file = (name) => cache("bench", "results", `${name}.json`);
const failed = [];
for (const { name, onNode24 } of chosen) {
  // One that breaks must not leave an older result standing.
  if (!smoke) rmSync(file(name), { force: true });
  const node = onNode24 ? cache("tools", "runtimes", "bin", "node24") : process.execPath;
  const { status } = spawnSync(node, ["--expose-gc", main, name], {
    cwd: root,
    // Where a comparison needs a client that was built for this Node.
    env: { ...process.env, BENCH_NODE: process.execPath, BENCH_SMOKE: smoke ? "1" : "" },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: patienceMs,
  });
  if (status !== 0) failed.push(name);
}

if (write) {
  const results = comparisons
    .filter(({ name }) => existsSync(file(name)))
    .map(({ name }) => JSON.parse(readFileSync(file(name), "utf8")));
  writeFileSync(at("docs/benchmarks.svg"), ratioChart(results));
  writeFileSync(at("docs/benchmarks.md"), benchmarksPage(comparisons, results));
  console.log("docs/benchmarks.md and docs/benchmarks.svg are written.");
}
if (failed.length > 0) console.log(`Missed or failed: ${failed.join(", ")}`);
process.exit(failed.length > 0 ? 1 : 0);
