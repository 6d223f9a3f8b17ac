// `npm run chaos`: the tests of delivery in their full sizes, against real brokers, and the page with their figures.
// `npm run chaos -- poison` runs the files whose name has that, and writes nothing.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { at, cache } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";
import { setUp } from "./setup-test.mjs";

const page = at("docs", "results", "delivery.md");
const results = cache("reports", "chaos.jsonl");

/** The tests of the page, in its order. */
const rows = {
  1: "Poison: what fails is set aside once, the rest is handled and waits no longer than without it, a redrive drains the letters and a second one changes nothing; with `park` the order of each key holds",
  2: "A consumer killed (SIGKILL) at named points: what happened once, what twice, what is missing",
  3: "Dead letter and redrive in one stream and duplicate window, under the subscriber's own wildcard, with two groups",
  4: "Rolling restarts of a group under load: healthy events are never set aside, attempts are failures",
  5: "Handlers that misbehave",
  6: "Random histories against a model",
  7: "A redrive of many letters, killed twice",
  8: "What policy, idempotency (memory) and key order cost against a raw loop with the same acknowledgements",
};

const [wanted] = process.argv.slice(2);
const missing = await setUp(["packages", "nats-server", "java", "kafka", "confluent client", "postgres"]);
if (missing.length > 0) process.exit(1);
rmSync(results, { force: true });
const vitest = at("node_modules", "vitest", "vitest.mjs");
const { code } = await run(process.execPath, [vitest, "run", "--project", "chaos", ...(wanted ? [wanted] : [])], {
  timeoutMs: 90 * 60_000,
  env: { WAYBILL_CHAOS: results },
});
// A timing is no pass mark of a test: the comparison is one of the benchmarks, and the page tells what it said.
const costs = wanted ? [] : await measureCosts();
if (code === 0 && !wanted) writeFileSync(page, pageOf([...readResults(), ...costs]));
process.exit(code);

async function measureCosts() {
  const bench = at("scripts", "bench.mjs");
  const { output } = await run(process.execPath, [bench, "delivery"], { timeoutMs: 20 * 60_000, collect: true });
  const rows = output.matchAll(/^(?<on>\w+): .*?: (?<ratio>[\d.]+) \(due ≥ (?<due>[\d.]+), (?<verdict>\w+)\)/gm);
  return Array.from(rows, ({ groups: { on, ratio, due, verdict } }) => ({
    row: 8,
    on,
    figures: { ratio, [`due ≥ ${due}`]: verdict },
  }));
}

function readResults() {
  if (!existsSync(results)) return [];
  return readFileSync(results, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function pageOf(found) {
  const lines = [
    "# Delivery under failure",
    "",
    `Written by \`npm run chaos\` on ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, against the nats-server, Kafka and PostgreSQL of the tests, all on one machine of two cores. The tests are in [test/chaos](../../test/chaos); \`npm test\` runs them in small sizes. Each prints its seed.`,
  ];
  for (const [row, title] of Object.entries(rows)) {
    lines.push("", `## ${row}. ${title}`, "");
    const own = found.filter((each) => each.row === Number(row));
    if (own.length === 0) lines.push("Not run.");
    for (const { on, figures } of own) {
      lines.push(
        `- **${on}**: ${Object.entries(figures)
          .map(([name, value]) => `${name}: ${value}`)
          .join("; ")}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
