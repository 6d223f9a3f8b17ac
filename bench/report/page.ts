import type { Comparison } from "../registry.ts";
import { type Result, type Row, verdictOf } from "../result.ts";
import { dueText, figure, ratioText } from "./text.ts";

/** What the page has to know of a comparison. */
export type Listed = Pick<Comparison, "name" | "theme">;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const withName = (of: Row["ours"]): string => (of ? `${of.name}: ${figure(of)}` : "");

/** One row of a theme's table; `mark` points at its note. */
function cells(name: string, row: Row, mark: string): string[] {
  const { measure, ours, theirs, ratio, cpuRatio, due } = row;
  const verdict = verdictOf(row);
  return [
    `\`${name}\``,
    `${measure}${mark}`,
    withName(ours),
    withName(theirs),
    ratio === undefined ? "" : ratioText(ratio, due),
    cpuRatio === undefined ? "" : cpuRatio.toFixed(2),
    due === undefined ? "" : dueText(due),
    verdict === "MISSED" || verdict === "not run" ? `**${verdict}**` : verdict,
  ];
}

const head = ["comparison", "what", "ours", "theirs", "ratio", "by processor time", "due", "result"];

/** The table of a theme with its notes below it. */
function themeSection(theme: string, listed: readonly Listed[], results: ReadonlyMap<string, Result>): string {
  const notes: string[] = [];
  const mark = ({ note }: Row): string => {
    if (note === undefined) return "";
    if (!notes.includes(note)) notes.push(note);
    return ` [${notes.indexOf(note) + 1}]`;
  };
  const rows = listed.flatMap(({ name }) => {
    const result = results.get(name);
    if (result === undefined) return [[`\`${name}\``, "", "", "", "", "", "", "**not run**"]];
    return result.rows.map((row) => cells(name, row, mark(row)));
  });
  const below = notes.map((note, n) => `[${n + 1}] ${note[0]!.toUpperCase()}${note.slice(1)}.`);
  return [`## ${theme}`, table(head, rows), ...(below.length > 0 ? [below.join("  \n")] : [])].join("\n\n");
}

/** Values of one kind over all results: several where parts were run in different places or at different times. */
const distinct = (values: readonly string[]): string => [...new Set(values)].join("; ");

function machineSection(results: readonly Result[]): string {
  const of = (pick: (result: Result) => string): string => distinct(results.map(pick));
  const versions = new Map<string, string[]>();
  for (const result of results) {
    for (const [name, version] of Object.entries(result.versions)) {
      versions.set(name, [...(versions.get(name) ?? []), version]);
    }
  }
  const machine = [
    ["processor", of(({ machine }) => machine.cpu)],
    ["cores", of(({ machine }) => String(machine.cores))],
    ["memory", of(({ machine }) => `${machine.memoryGiB} GiB`)],
    ["system", of(({ machine }) => machine.system)],
  ];
  const byName = [...versions].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  return [
    "## Machine and versions",
    table(["machine", ""], machine),
    "Brokers, peers and events are on this one machine and share its cores.",
    table(
      ["runtime, broker or package", "version"],
      byName.map(([name, found]) => [name, distinct(found)]),
    ),
  ].join("\n\n");
}

function runsSection(listed: readonly Listed[], results: ReadonlyMap<string, Result>): string {
  const rows = listed.map(({ name }) => {
    const result = results.get(name);
    if (result === undefined) return [`\`${name}\``, "not run", "", "", ""];
    const rounds = distinct(result.rows.flatMap(({ rounds }) => (rounds === undefined ? [] : [String(rounds)])));
    const date = `${result.date.slice(0, 16).replace("T", " ")} UTC`;
    return [`\`${name}\``, date, `${Math.round(result.seconds)} s`, rounds, result.loadBefore.toFixed(1)];
  });
  return ["## Runs", table(["comparison", "date", "took", "rounds", "load before"], rows), loadText].join("\n\n");
}

const loadText =
  "Load is the number of processes that wanted to run, on average over the minute before. The comparison before leaves some; much more means that the machine was busy with other work.";

const method = `## How it is measured

- Ours and theirs take short turns in one run, and who begins changes from round to round: what disturbs the machine disturbs both. Rounds that warm up do not count.
- A rate is the median of the turns. A ratio is the median over the rounds of their time by ours, so it need not be the quotient of the two rates beside it. Above one, ours is faster.
- "By processor time" is the same ratio of the processor time that the measuring process used, where both run in it. A busy machine disturbs it less; it leaves out the work of the broker and of other processes.
- Each comparison has a process of its own, and brokers of its own, started for it on this machine.
- The raw contender is the code that one writes by hand with the client: the same headers, the same data, the same confirmation. A peer is used as its documents show, with its defaults where a note does not say otherwise. What a peer leaves out, such as headers, is said in a note.
- A latency is that of one operation after another, never of many at a time. p50 and p99 are over all operations of all rounds.
- The heap is what is in use after several forced collections, in the process that publishes and consumes. The ratio is the late by the early one.
- The cost of subscriptions is the time per event on the bus with many by that on the bus with few, from \`publish\` to its handler.
- An import is timed in a fresh process for each sample, without the start of the process, with the files in the system's cache; the median counts. An entry loads no vendor: an application pays for both.
- The work of core on each runtime is to route, encode, publish over memory, decode and handle, with no broker and no SDK of OpenTelemetry. Each turn is a process, which warms up first.

## What it does not show

- Other machines, and brokers over a network: there the network decides, and ratios come closer to one.
- Clusters, replication, TLS and authentication. The brokers have one node and default settings.
- Large events, and many kinds of events: the data is a small order, the same in all comparisons.
- Delivery in the face of failures, which the tests check, and not these figures.
- Watermill's rows set a Go program beside a Node process. They show what each language's usual way reaches on this machine, and not which library is better.
- Other settings of the peers. Some can be made faster by giving up what ours gives: batching by hand, no acknowledgement, no headers.

\`npm run bench\` runs all comparisons, \`npm run bench -- nats\` those whose names begin so; it ends with an error when a due is missed. \`npm run bench -- --write\` makes this page and its chart, and \`npm run bench -- --write nats\` does so from a new run of those and from the earlier results of the others.`;

/** docs/benchmarks.md from what was measured. Smoke runs and unknown names are left out; what is missing is named. */
export function benchmarksPage(listed: readonly Listed[], all: readonly Result[]): string {
  const measured = all.filter(({ name, smoke }) => !smoke && listed.some((each) => each.name === name));
  const results = new Map(measured.map((result) => [result.name, result]));
  const verdicts = measured.flatMap(({ rows }) => rows.map(verdictOf));
  const count = (verdict: string): number => verdicts.filter((each) => each === verdict).length;
  const absent = listed.filter(({ name }) => !results.has(name)).length + count("not run");
  const themes = [...new Set(listed.map(({ theme }) => theme))];
  return `${[
    "# Benchmarks",
    "<!-- Made by `npm run bench -- --write` from measured results: do not edit. -->",
    `Waybill against the clients that it is built on and against other libraries, on one machine. Of the dues that the project sets itself, ${count("met")} are met and ${count("MISSED")} missed; ${absent === 0 ? "nothing was left out" : `${absent} were not run`}.`,
    "![Ratios against their dues; the tables below have every figure](benchmarks.svg)",
    ...themes.map((theme) =>
      themeSection(
        theme,
        listed.filter((each) => each.theme === theme),
        results,
      ),
    ),
    method,
    machineSection(measured),
    runsSection(listed, results),
  ].join("\n\n")}\n`;
}
