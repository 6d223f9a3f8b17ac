// `npm run check`: format, lint, types and the guards of test/package, each with its time; only failures print more.
import { pathToFileURL } from "node:url";
import { checkNode, ensureDependencies } from "./lib/dependencies.mjs";
import { at } from "./lib/paths.mjs";
import { duration } from "./lib/report.mjs";
import { run } from "./lib/run.mjs";
import { runVitest } from "./lib/vitest.mjs";

const biome = at("node_modules", "@biomejs", "biome", "bin", "biome");
const tsc = at("node_modules", "typescript", "bin", "tsc");

const checks = [
  ["format", [biome, "ci", "--linter-enabled=false", "--assist-enabled=false", "."]],
  ["lint", [biome, "ci", "--formatter-enabled=false", "--error-on-warnings", "."]],
  ["types: all", [tsc, "-p", "."]],
  ["types: declarations of the package", [tsc, "-p", "tsconfig.package.json"]],
  ["types: core without DOM and Node", [tsc, "-p", "core"]],
];

function print(name, ok, durationMs, output) {
  console.log(`${ok ? "ok    " : "FAILED"}  ${name} (${duration(durationMs)})`);
  if (!ok) console.log(output);
}

/**
 * Runs every check, whatever the earlier ones gave.
 *
 * @returns {Promise<import("./lib/vitest.mjs").Counts>}
 */
export async function runChecks() {
  const counts = { passed: 0, failed: 0, skips: [], failures: [] };
  for (const [name, args] of checks) {
    const { code, output, durationMs } = await run(process.execPath, args, { collect: true });
    print(name, code === 0, durationMs, output);
    if (code === 0) counts.passed += 1;
    else {
      counts.failed += 1;
      counts.failures.push(name);
    }
  }
  const guards = await runVitest("package", { collect: true });
  print(
    `guards: ${guards.passed} passed, ${guards.failed} failed`,
    guards.failed === 0,
    guards.durationMs,
    guards.output,
  );
  return {
    passed: counts.passed + guards.passed,
    failed: counts.failed + guards.failed,
    skips: guards.skips,
    failures: [...counts.failures, ...guards.failures],
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  checkNode();
  const { state, detail } = await ensureDependencies();
  if (state === "missing") {
    console.error(detail);
    process.exit(1);
  }
  const { failed } = await runChecks();
  process.exit(failed > 0 ? 1 : 0);
}
