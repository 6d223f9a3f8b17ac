// `npm run conformance`: runs cells of the matrix, prints each, and fails on whatever is not known.
import { parseArgs } from "node:util";
import { startKafka } from "../support/kafka-broker.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { type CellSetting, runOnRuntime } from "./cell-runner.ts";
import { knownGaps } from "./known-gaps.ts";
import { type Cell, cells, runtimes, transports } from "./matrix.ts";
import { writePages } from "./pages.ts";
import { idsOf } from "./programs/run-cell.ts";
import { type CellRecord, drift, judge, readRecords, writeRecords } from "./results.ts";

const { values: wanted } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    runtime: { type: "string" },
    transport: { type: "string" },
    case: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

const chosen = cells.filter(
  ({ runtime, transport }) =>
    (wanted.runtime === undefined || runtime === wanted.runtime) &&
    (wanted.transport === undefined || transport === wanted.transport),
);
const whole = chosen.length === cells.length && wanted.case === undefined;
if (chosen.length === 0 || (!wanted.all && wanted.runtime === undefined && wanted.transport === undefined)) {
  console.error("npm run conformance -- --runtime <name> --transport <name> [--case <id>], or npm run conformance:all");
  console.error(`runtimes: ${runtimes.join(", ")}\ntransports: ${transports.join(", ")}`);
  process.exit(1);
}
if (wanted.write && !whole) {
  console.error("--write records a full run alone: npm run conformance:all -- --write");
  process.exit(1);
}

async function runCell(cell: Cell, setting: CellSetting): Promise<{ record: CellRecord; problems: readonly string[] }> {
  const startedMs = performance.now();
  const results = await runOnRuntime(cell, setting).catch((error: Error) => {
    console.log(`  ${error.message}`);
    return [];
  });
  const { record, problems } = judge(cell, idsOf(cell, setting.only), results, knownGaps);
  const { passed, skipped, gaps } = record;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const counts = `${passed.length} passed, ${Object.keys(skipped).length} skipped, ${Object.keys(gaps).length} known gaps`;
  console.log(
    `${cell.runtime} × ${cell.transport} (${cell.cases}): ${counts}, ${problems.length} failed, ${seconds} s`,
  );
  for (const problem of problems) console.log(`  FAILED ${problem}`);
  if (!whole) for (const [id, reason] of Object.entries(skipped)) console.log(`  skipped ${id}: ${reason}`);
  return { record, problems };
}

const nats = await startNatsServer({ jetstream: true });
const kafka = chosen.some(({ transport }) => transport.startsWith("kafka")) ? await startKafka() : undefined;
const records: CellRecord[] = [];
let failures = 0;
let passes = 0;
try {
  const { port, websocketPort } = nats;
  for (const cell of chosen) {
    const setting = { nats: { port, websocketPort }, kafkaPort: kafka?.port ?? 0, only: wanted.case };
    const { record, problems } = await runCell(cell, setting);
    records.push(record);
    failures += problems.length;
    passes += record.passed.length;
  }
} finally {
  await nats.stop();
  await kafka?.stop();
}
if (wanted.write && failures === 0) {
  writeRecords(records);
  writePages(records);
} else if (wanted.case === undefined) {
  const ran = (one: Pick<Cell, "runtime" | "transport">): boolean =>
    chosen.some(({ runtime, transport }) => runtime === one.runtime && transport === one.transport);
  const changed = drift(
    readRecords().filter((record) => whole || ran(record)),
    records,
  );
  for (const cell of changed) console.log(`FAILED ${cell}: not as docs/results/conformance.json says`);
  if (changed.length > 0) console.log("npm run conformance:all -- --write records this run");
  failures += changed.length;
}
console.log(`${passes} passed, ${failures} failed`);
process.exit(failures > 0 ? 1 : 0);
