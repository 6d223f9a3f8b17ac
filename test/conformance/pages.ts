import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { conformanceCases } from "waybill/testing";
import { type Runtime, runtimes, type TransportName, transports, whyNot } from "./matrix.ts";
import type { CellRecord } from "./results.ts";

const readme = fileURLToPath(new URL("../../README.md", import.meta.url));
const page = fileURLToPath(new URL("../../docs/conformance.md", import.meta.url));
const begin = "<!-- support:begin -->";
const end = "<!-- support:end -->";

const runtimeTitles: Record<Runtime, string> = {
  "node-24": "Node 24",
  "node-22": "Node 22",
  "node-20": "Node 20",
  deno: "Deno 2.9",
  bun: "Bun 1.4",
  workerd: "workerd",
  chromium: "Chromium",
};

const transportTitles: Record<TransportName, string> = {
  memory: "memory",
  "nats-tcp": "NATS over TCP (`@nats-io/transport-node`)",
  "nats-wsconnect": "NATS over WebSocket (`wsconnect`)",
  "nats-nats.ws": "NATS over WebSocket (`nats.ws`)",
  "jetstream-tcp": "JetStream over TCP",
  "jetstream-wsconnect": "JetStream over WebSocket",
  "kafka-confluent": "Kafka (`@confluentinc/kafka-javascript`)",
  "kafka-platformatic": "Kafka (`@platformatic/kafka`)",
};

type Lookup = (runtime: Runtime, transport: TransportName) => CellRecord | undefined;

const lookupIn =
  (records: readonly CellRecord[]): Lookup =>
  (runtime, transport) =>
    records.find((record) => record.runtime === runtime && record.transport === transport);

/** Columns as wide as their longest cell, as the format tool wants them. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, n) => cell.padEnd(widths[n]!)).join(" | ")} |`;
  const [head, ...body] = rows;
  return [line(head!), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)].join("\n");
}

/** The table of transports and runtimes. A pair that was neither run nor ruled out says so. */
export function supportTable(records: readonly CellRecord[]): string {
  const of = lookupIn(records);
  const cell = (runtime: Runtime, transport: TransportName): string => {
    if (whyNot(runtime, transport) !== undefined) return "–";
    const record = of(runtime, transport);
    if (!record) return "NOT RUN";
    const gaps = Object.keys(record.gaps).length;
    return gaps > 0 ? `${record.passed.length}, ${gaps} not` : String(record.passed.length);
  };
  return table([
    ["", ...runtimes.map((runtime) => runtimeTitles[runtime])],
    ...transports.map((transport) => [
      transportTitles[transport],
      ...runtimes.map((runtime) => cell(runtime, transport)),
    ]),
  ]);
}

/** The page that says of each case where it holds. */
export function conformancePage(records: readonly CellRecord[]): string {
  const of = lookupIn(records);
  const mark = (id: string, transport: TransportName): string => {
    const record = of("node-24", transport);
    if (record?.passed.includes(id)) return "holds";
    const lacking = record?.skipped[id];
    if (lacking !== undefined) return lacking;
    return record?.gaps[id] === undefined ? "NOT RUN" : "does not hold";
  };
  const gaps = records.flatMap((record) =>
    Object.entries(record.gaps).map(
      ([id, reason]) => `- ${id} on ${runtimeTitles[record.runtime]}, ${transportTitles[record.transport]}: ${reason}`,
    ),
  );
  const reasons = runtimes.flatMap((runtime) => {
    const found = new Map<string, TransportName[]>();
    for (const transport of transports) {
      const reason = whyNot(runtime, transport);
      if (reason !== undefined) found.set(reason, [...(found.get(reason) ?? []), transport]);
    }
    return [...found].map(([reason, names]) => `- ${runtimeTitles[runtime]}, ${names.join(", ")}: ${reason}`);
  });
  const shown: readonly TransportName[] = ["memory", "nats-tcp", "jetstream-tcp", "kafka-confluent"];
  return [
    "# Conformance",
    "",
    "Written by `npm run conformance:all -- --write`; a run whose outcome differs from this page fails.",
    "",
    "The number of cases that hold in each pair of transport and runtime. Node 24 runs all cases, the others those that are marked below with a star. What a transport lacks is skipped and not counted; – is a pair that cannot be.",
    "",
    supportTable(records),
    "",
    "## Pairs that cannot be",
    "",
    ...reasons,
    "",
    "## Known gaps",
    "",
    ...(gaps.length > 0 ? gaps : ["None."]),
    "",
    "## Cases",
    "",
    "On Node 24. The other clients of NATS, JetStream and Kafka hold the same cases, unless a gap is named above.",
    "",
    table([
      ["case", "claim", ...shown.map((transport) => transport.split("-")[0]!)],
      ...conformanceCases.map(({ id, title, core }) => [
        `\`${id}\`${core ? " ★" : ""}`,
        title.replaceAll("|", "\\|").replaceAll("*", "\\*"),
        ...shown.map((transport) => mark(id, transport)),
      ]),
    ]),
    "",
  ].join("\n");
}

/** README.md with the table of these records in it. */
export function readmeWith(records: readonly CellRecord[], text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
  return `${text.slice(0, from)}${begin}\n${supportTable(records)}\n${text.slice(to)}`;
}

/** Writes the page and the table of README.md. */
export function writePages(records: readonly CellRecord[]): void {
  writeFileSync(page, conformancePage(records));
  writeFileSync(readme, readmeWith(records, readFileSync(readme, "utf8")));
}
