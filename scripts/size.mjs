// `npm run size`: gzipped size of every entry point against scripts/size-budget.json. `--json` prints the rows as JSON.
import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { entries, manifest, peers } from "./lib/entries.mjs";
import { at, root } from "./lib/paths.mjs";
import { table } from "./lib/report.mjs";

const budgets = JSON.parse(readFileSync(at("scripts/size-budget.json"), "utf8"));
const otel = "@opentelemetry/api";
const wsconnect = 'export { wsconnect } from "@nats-io/nats-core";';

/** Gzipped bytes of `code` as a bundler for pages would ship it. */
async function measure(code, external) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "browser",
    external: [...external, "node:*"],
    logLevel: "silent",
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const all = (sources) => sources.map((source) => `export * from "./${source}";`).join("\n");

/** What is measured: each entry with all peers left out, and the combinations that the README promises. */
function subjects() {
  const source = (name) => entries.find((entry) => entry.name === name)?.source ?? `the source of ${name}`;
  const core = manifest.name;
  const nats = `${manifest.name}/nats`;
  return [
    ...entries.map((entry) => ({ name: entry.name, sources: [entry.source], external: peers })),
    { name: `${core} + ${otel}`, sources: [source(core)], external: peers.filter((peer) => peer !== otel) },
    {
      name: `${core} + ${nats} + wsconnect`,
      sources: [source(core), source(nats)],
      extra: wsconnect,
      external: [otel],
    },
    { name: "wsconnect alone", sources: [], extra: wsconnect, external: [otel] },
  ];
}

/**
 * Measures everything.
 *
 * @returns {Promise<{ name: string, bytes?: number, budgetBytes?: number, reason?: string, problem?: string }[]>}
 */
export async function measureSizes() {
  const rows = [];
  for (const { name, sources, extra = "", external } of subjects()) {
    const row = { name, budgetBytes: budgets[name]?.bytes, reason: budgets[name]?.reason };
    const absent = sources.find((source) => !existsSync(at(source)));
    if (absent !== undefined) {
      rows.push({ ...row, problem: `${absent} does not exist` });
      continue;
    }
    try {
      const bytes = await measure(`${all(sources)}\n${extra}`, external);
      const over = row.budgetBytes !== undefined && bytes > row.budgetBytes;
      rows.push({ ...row, bytes, ...(over && { problem: `${bytes - row.budgetBytes} bytes over its budget` }) });
    } catch (error) {
      rows.push({ ...row, problem: `does not bundle: ${error instanceof Error ? error.message : error}` });
    }
  }
  return rows;
}

const kilobytes = (bytes) => (bytes === undefined ? "" : `${(bytes / 1_000).toFixed(1)} kB`);
const kibibytes = (bytes) => (bytes === undefined ? "" : `${(bytes / 1_024).toFixed(1)} KiB`);

/**
 * Prints the table.
 *
 * @returns {Promise<{ passed: number, failed: number, skips: [], failures: string[] }>}
 */
export async function runSize({ json = false } = {}) {
  const rows = await measureSizes();
  const problems = rows.filter(({ problem }) => problem !== undefined);
  if (json) console.log(JSON.stringify(rows, null, 2));
  else {
    const head = ["entry, minified and gzip -9", "bytes", "kB", "KiB", "budget, bytes", "budget, KiB"];
    const body = rows.map(({ name, bytes, budgetBytes }) => [
      name,
      bytes ?? "-",
      kilobytes(bytes),
      kibibytes(bytes),
      budgetBytes ?? "",
      kibibytes(budgetBytes),
    ]);
    console.log(table(head, body));
    for (const { name, problem } of problems) console.log(`FAILED  ${name}: ${problem}`);
  }
  const failures = problems.map(({ name, problem }) => `size of ${name}: ${problem}`);
  return { passed: rows.length - problems.length, failed: problems.length, skips: [], failures };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { failed } = await runSize({ json: process.argv.includes("--json") });
  process.exit(failed > 0 ? 1 : 0);
}
