// One comparison in this process, since each shapes the compiled code of what it runs. `npm run bench` runs them all.
import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { comparisons } from "./registry.ts";
import { printed } from "./report/text.ts";
import { type Result, verdictOf } from "./result.ts";
import { machine, versions } from "./support/environment.ts";
import { cache } from "./support/paths.ts";
import { smoke } from "./support/turns.ts";

async function measure(name: string): Promise<Result> {
  const comparison = comparisons.find((each) => each.name === name);
  if (comparison === undefined) throw new Error(`no comparison "${name}"`);
  const loadBefore = loadavg()[0] ?? 0;
  const start = performance.now();
  const rows = [await comparison.run()].flat();
  return {
    name,
    rows,
    date: new Date().toISOString(),
    seconds: (performance.now() - start) / 1000,
    smoke,
    loadBefore,
    machine: machine(),
    versions: versions(comparison.tools),
  };
}

const [name, ...more] = process.argv.slice(2);
if (name === undefined) {
  console.log(JSON.stringify(comparisons.map(({ run: _, ...each }) => each)));
} else if (name === "each-message") {
  const { timeEachMessage } = await import("./kafka/consume.ts");
  console.log(String(await timeEachMessage(more[0]!, Number(more[1]))));
} else {
  const result = await measure(name);
  // What a smoke run finds stays away from what the page is made of.
  const folder = cache("bench", smoke ? "smoke" : "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
  console.log(printed(result));
  process.exit(result.rows.some((row) => verdictOf(row) === "MISSED") ? 1 : 0);
}
