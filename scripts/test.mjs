// `npm test`: sets up what is missing, then runs every block. `npm test -- unit int` runs the named blocks alone.
import { checkNode } from "./lib/dependencies.mjs";
import { cache } from "./lib/paths.mjs";
import { duration, table } from "./lib/report.mjs";
import { run } from "./lib/run.mjs";
import { allItems, setUp } from "./setup-test.mjs";

/** @typedef {import("./lib/vitest.mjs").Counts} Counts */

const minuteMs = 60_000;
const npm = { label: undefined, env: { CI: "true" } };

/** One command as one check. */
async function command(title, file, args, options) {
  const { code, timedOut } = await run(file, args, { ...npm, ...options });
  if (code === 0) return { passed: 1, failed: 0, skips: [], failures: [] };
  const how = timedOut ? `not finished after ${duration(options.timeoutMs)}` : `exit code ${code}`;
  return { passed: 0, failed: 1, skips: [], failures: [`${title}: ${how}`] };
}

/** @param {Counts[]} parts */
const sum = (parts) => ({
  passed: parts.reduce((total, part) => total + part.passed, 0),
  failed: parts.reduce((total, part) => total + part.failed, 0),
  skips: parts.flatMap((part) => part.skips),
  failures: parts.flatMap((part) => part.failures),
});

// Imported late: these need the packages that the set-up brings in.
const vitest = async (project, timeoutMs, node) =>
  (await import("./lib/vitest.mjs")).runVitest(project, { timeoutMs, node });

async function build() {
  const built = await command("npm run build", "npm", ["run", "--silent", "build"], { timeoutMs: 5 * minuteMs });
  if (built.failed > 0) return built;
  return sum([built, await vitest("dist", 10 * minuteMs), await (await import("./size.mjs")).runSize()]);
}

/** `npm run conformance:all` as so many checks as it ran cases. */
async function conformance() {
  const { code, output, timedOut } = await run("npm", ["run", "--silent", "conformance:all"], {
    ...npm,
    label: "conformance",
    timeoutMs: 40 * minuteMs,
  });
  const [, passed = 0, failed = 0] = /(\d+) passed, (\d+) failed\s*$/.exec(output) ?? [];
  const failures = output.split("\n").filter((line) => /^\s*FAILED /.test(line));
  if (code !== 0 && failures.length === 0) failures.push(timedOut ? "not finished" : `exit code ${code}`);
  return {
    passed: Number(passed),
    failed: code === 0 ? 0 : Math.max(1, Number(failed)),
    skips: [],
    failures: failures.map((line) => `conformance: ${line.trim()}`),
  };
}

const brokers = ["packages", "nats-server", "java", "kafka", "confluent client"];
const node24 = cache("tools", "runtimes", "bin", "node24");

/**
 * In this order; a failed block does not stop the next. `needs` are items of the set-up, `budgetMin` is what it may take
 * on two cores.
 */
const blocks = {
  check: { budgetMin: 2, needs: ["packages"], run: async () => (await import("./check.mjs")).runChecks() },
  unit: { budgetMin: 4, needs: ["packages"], run: () => vitest("unit", 10 * minuteMs) },
  build: { budgetMin: 4, needs: ["packages"], run: build },
  int: { budgetMin: 10, needs: [...brokers, "postgres"], run: () => vitest("int", 30 * minuteMs) },
  modern: { budgetMin: 8, needs: [...brokers, "runtimes"], run: () => vitest("modern", 30 * minuteMs, node24) },
  chaos: { budgetMin: 8, needs: [...brokers, "postgres"], run: () => vitest("chaos", 30 * minuteMs) },
  e2e: { budgetMin: 8, needs: allItems, run: () => vitest("e2e", 30 * minuteMs) },
  conformance: { budgetMin: 16, needs: allItems, run: conformance },
  controls: {
    budgetMin: 15,
    needs: ["packages"],
    run: () => command("npm run controls", "npm", ["run", "--silent", "controls"], { timeoutMs: 35 * minuteMs }),
  },
  demo: {
    budgetMin: 1,
    needs: ["packages"],
    run: () =>
      command("npm run demo -- --once", "npm", ["run", "--silent", "demo", "--", "--once"], {
        timeoutMs: 5 * minuteMs,
      }),
  },
};

const setUpBudgetMin = 12;
/** All together may not take longer. */
const totalBudgetMin = 80;

/** @param {{ name: string, durationMs: number, counts: Counts }[]} results */
function summarise(results) {
  const total = sum(results.map(({ counts }) => counts));
  const row = (name, ms, budgetMin, { passed, failed, skips }) => {
    const over = ms > budgetMin * minuteMs ? ", over" : "";
    return [name, duration(ms), `${budgetMin} min${over}`, passed, failed, skips.length];
  };
  const totalMs = results.reduce((ms, result) => ms + result.durationMs, 0);
  const rows = results.map(({ name, durationMs, counts }) =>
    row(name, durationMs, blocks[name]?.budgetMin ?? setUpBudgetMin, counts),
  );
  const all = row("all", totalMs, totalBudgetMin, total);
  console.log(`\n${table(["block", "time", "budget", "passed", "failed", "skipped"], [...rows, all])}\n`);
  if (totalMs > totalBudgetMin * minuteMs) {
    total.failed++;
    total.failures.push(`all blocks took ${duration(totalMs)}, ${totalBudgetMin} min are allowed`);
  }
  for (const { title, reason } of total.skips) console.log(`skipped: ${title}: ${reason}`);
  for (const failure of total.failures) console.log(`FAILED:  ${failure}`);
  const skipped = total.skips.length > 0 ? `, ${total.skips.length} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed;
}

async function main() {
  checkNode();
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !Object.hasOwn(blocks, name));
  if (unknown.length > 0) {
    console.error(`No block ${unknown.join(", ")}; there are ${Object.keys(blocks).join(", ")}.`);
    return 1;
  }
  const names = Object.keys(blocks).filter((name) => wanted.length === 0 || wanted.includes(name));
  const results = [];
  const timed = async (name, work) => {
    console.log(`\n=== ${name} ===`);
    const startedMs = performance.now();
    const counts = await work();
    const durationMs = performance.now() - startedMs;
    results.push({ name, durationMs, counts });
    console.log(`=== ${name}: ${duration(durationMs)}, ${counts.passed} passed, ${counts.failed} failed ===`);
    return counts;
  };

  const { failed } = await timed("set-up", async () => {
    const missing = await setUp([...new Set(names.flatMap((name) => blocks[name].needs))]);
    return {
      passed: 0,
      failed: missing.length,
      skips: [],
      failures: missing.map((item) => `set-up: ${item} is missing`),
    };
  });
  if (failed === 0) {
    for (const name of names) {
      await timed(name, () =>
        blocks[name].run().catch((error) => {
          console.error(error);
          return { passed: 0, failed: 1, skips: [], failures: [`${name}: ${error.message}`] };
        }),
      );
    }
  }
  return summarise(results) > 0 ? 1 : 0;
}

process.exit(await main());
