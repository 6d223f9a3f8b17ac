// `npm run size`: gzipped sizes against scripts/size-budget.json. `--json` prints the rows as JSON,
// `--write` puts them into the README.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { entries, manifest, peers } from "./lib/entries.mjs";
import { at, root } from "./lib/paths.mjs";
import { table } from "./lib/report.mjs";

const budgets = JSON.parse(readFileSync(at("scripts/size-budget.json"), "utf8"));
const otel = "@opentelemetry/api";
const gzipped = (chunks) => gzipSync(Buffer.concat(chunks.map(({ contents }) => contents)), { level: 9 }).length;

/**
 * Gzipped bytes of `code` as a bundler for pages ships it: what is loaded with the page, and what is loaded on
 * demand by a dynamic import.
 */
async function measure(code, external) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: root, loader: "ts", sourcefile: "page.ts" },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: at(".cache/size"),
    absWorkingDir: root,
    format: "esm",
    target: "es2022",
    platform: "browser",
    external: [...external, "node:*", "crypto"],
    logLevel: "silent",
  });
  const [entry] = Object.keys(metafile.outputs).filter((path) => metafile.outputs[path].entryPoint === "page.ts");
  const initial = new Set();
  const walk = (path) => {
    if (initial.has(path)) return;
    initial.add(path);
    for (const { path: next, kind, external: outside } of metafile.outputs[path].imports) {
      if (!outside && kind === "import-statement") walk(next);
    }
  };
  walk(entry);
  const isInitial = ({ path }) => initial.has(path.slice(root.length).replaceAll("\\", "/"));
  const later = outputFiles.filter((file) => !isInitial(file));
  return { bytes: gzipped(outputFiles.filter(isInitial)), onDemandBytes: later.length > 0 ? gzipped(later) : 0 };
}

/** What is measured: what a page begins with, the combination that the README promises, and each entry whole. */
function subjects() {
  const source = (name) => entries.find((entry) => entry.name === name)?.source ?? `the source of ${name}`;
  const core = source(manifest.name);
  const nats = source(`${manifest.name}/nats`);
  const bus = `import { createEventBus, defineEvents } from "./${core}";`;
  const transport = `import { natsTransport } from "./${nats}";`;
  const wsconnect = 'import { wsconnect } from "@nats-io/nats-core";';
  const kept = (...names) => `globalThis.kept = [${names.join(", ")}];`;
  const page = ["createEventBus", "defineEvents"];
  return [
    { name: "core: createEventBus, defineEvents", sources: [core], code: bus + kept(...page), external: peers },
    {
      name: `the same with ${otel}`,
      sources: [core],
      code: bus + kept(...page),
      external: peers.filter((peer) => peer !== otel),
    },
    {
      name: "core, natsTransport and wsconnect",
      sources: [core, nats],
      code: bus + transport + wsconnect + kept(...page, "natsTransport", "wsconnect"),
      external: [otel],
    },
    { name: "wsconnect alone", sources: [], code: wsconnect + kept("wsconnect"), external: [otel] },
    ...entries.map((entry) => ({
      name: `${entry.name}, every export`,
      entry: entry.name,
      sources: [entry.source],
      code: `export * from "./${entry.source}";`,
      external: peers,
    })),
  ];
}

/**
 * Measures everything.
 *
 * @returns {Promise<import("./size.d.mts").SizeRow[]>}
 */
export async function measureSizes() {
  const rows = [];
  for (const { name, entry, sources, code, external } of subjects()) {
    const row = { name, ...(entry && { entry }), budgetBytes: budgets[name]?.bytes, reason: budgets[name]?.reason };
    const absent = sources.find((source) => !existsSync(at(source)));
    if (absent !== undefined) {
      rows.push({ ...row, problem: `${absent} does not exist` });
      continue;
    }
    try {
      const sizes = await measure(code, external);
      const over = row.budgetBytes !== undefined && sizes.bytes > row.budgetBytes;
      rows.push({
        ...row,
        ...sizes,
        ...(over && { problem: `${sizes.bytes - row.budgetBytes} bytes over its budget` }),
      });
    } catch (error) {
      rows.push({ ...row, problem: `does not bundle: ${error instanceof Error ? error.message : error}` });
    }
  }
  return rows;
}

const readme = at("README.md");
const cell = (bytes) => `${(bytes / 1_024).toFixed(1)} KB`;
const entryRow = /^\| `(?<entry>[^`]+)` +\|(?<text>.*)\|[^|]*\|$/;

/** The README's table of entry points with the sizes of `rows` in its last column. */
function withSizes(text, rows) {
  const [before, table, after] = text.split(/(?<=<!-- sizes:begin -->\n)|(?=<!-- sizes:end -->)/);
  const lines = table.split("\n").map((line) => {
    const { entry, text: middle } = entryRow.exec(line)?.groups ?? {};
    const row = rows.find((each) => each.entry !== undefined && each.entry === entry && each.bytes !== undefined);
    if (!row) return line;
    return `| \`${entry}\` | ${middle.trim()} | ${cell(row.bytes)}${row.onDemandBytes ? ` + ${cell(row.onDemandBytes)}` : ""} |`;
  });
  return before + lines.join("\n") + after;
}

/** Sizes in the README that are off by more than zlib and esbuild differ from release to release. */
function drift(rows) {
  const numbers = (text) =>
    text.split("\n").flatMap((line) => (entryRow.exec(line) ? [line.match(/[\d.]+(?= KB)/g) ?? []] : []));
  const text = readFileSync(readme, "utf8");
  const written = numbers(text).flat().map(Number);
  const measured = numbers(withSizes(text, rows)).flat().map(Number);
  const same = written.length === measured.length && written.every((size, n) => Math.abs(size - measured[n]) <= 0.2);
  return same ? [] : ["the README's sizes are not the measured ones: npm run size -- --write"];
}

const kibibytes = (bytes) => (bytes === undefined ? "" : `${(bytes / 1_024).toFixed(1)} KiB`);

/**
 * Prints the table.
 *
 * @returns {Promise<{ passed: number, failed: number, skips: [], failures: string[] }>}
 */
export async function runSize({ json = false, write = false } = {}) {
  const rows = await measureSizes();
  const problems = rows.filter(({ problem }) => problem !== undefined);
  if (json) console.log(JSON.stringify(rows, null, 2));
  else {
    const head = ["minified and gzip -9", "with the page", "", "budget", "", "on demand"];
    const body = rows.map(({ name, bytes, budgetBytes, onDemandBytes }) => [
      name,
      bytes ?? "-",
      kibibytes(bytes),
      budgetBytes ?? "",
      kibibytes(budgetBytes),
      onDemandBytes ? `${onDemandBytes}` : "",
    ]);
    console.log(table(head, body));
    for (const { name, problem } of problems) console.log(`FAILED  ${name}: ${problem}`);
  }
  if (write) writeFileSync(readme, withSizes(readFileSync(readme, "utf8"), rows));
  const failures = [...problems.map(({ name, problem }) => `size of ${name}: ${problem}`), ...drift(rows)];
  if (!json) for (const failure of failures.slice(problems.length)) console.log(`FAILED  ${failure}`);
  return { passed: rows.length + 1 - failures.length, failed: failures.length, skips: [], failures };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { failed } = await runSize({
    json: process.argv.includes("--json"),
    write: process.argv.includes("--write"),
  });
  process.exit(failed > 0 ? 1 : 0);
}
