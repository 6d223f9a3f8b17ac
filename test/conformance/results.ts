import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CaseResult } from "waybill/testing";
import { gapOf, type KnownGap } from "./known-gaps.ts";
import type { Cell, Runtime, TransportName } from "./matrix.ts";

const file = fileURLToPath(new URL("../../docs/results/conformance.json", import.meta.url));

/** What is kept of a cell: no times, so that two runs with the same outcome give the same file. */
export interface CellRecord {
  readonly runtime: Runtime;
  readonly transport: TransportName;
  readonly cases: "all" | "core";
  readonly passed: readonly string[];
  /** What the transport lacks, by case. */
  readonly skipped: Readonly<Record<string, string>>;
  /** Known gaps, by case, with their reason. */
  readonly gaps: Readonly<Record<string, string>>;
}

/** A cell after its run: the record, and what makes the run fail. */
export interface CellOutcome {
  readonly record: CellRecord;
  readonly problems: readonly string[];
}

/** Judges the results of a cell by the cases that were wanted and the list of known gaps. */
export function judge(
  { runtime, transport, cases }: Cell,
  wanted: readonly string[],
  results: readonly CaseResult[],
  gaps: readonly KnownGap[],
): CellOutcome {
  const passed: string[] = [];
  const skipped: Record<string, string> = {};
  const known: Record<string, string> = {};
  const problems: string[] = [];
  for (const { id, status, reason = "" } of [...results].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const gap = gapOf(gaps, runtime, transport, id);
    if (status === "skipped") skipped[id] = reason;
    else if (status === "passed") {
      passed.push(id);
      if (gap) problems.push(`${id} passes: remove it from the known gaps (${gap.reason})`);
    } else if (gap) known[id] = `${gap.reason} (${gap.link})`;
    else problems.push(`${id}: ${reason}`);
  }
  for (const id of wanted) if (!results.some((result) => result.id === id)) problems.push(`${id}: no result`);
  return { record: { runtime, transport, cases, passed, skipped, gaps: known }, problems };
}

/** The records of the last full run. */
export function readRecords(): readonly CellRecord[] {
  return JSON.parse(readFileSync(file, "utf8")) as CellRecord[];
}

/** One record a line, so that a change shows as the cell it belongs to. */
export function writeRecords(records: readonly CellRecord[]): void {
  writeFileSync(file, `[\n${records.map((record) => JSON.stringify(record)).join(",\n")}\n]\n`);
}

/** The cells whose outcome is another than what was recorded. */
export function drift(recorded: readonly CellRecord[], found: readonly CellRecord[]): string[] {
  const name = ({ runtime, transport }: CellRecord): string => `${runtime} × ${transport}`;
  const before = new Map(recorded.map((record) => [name(record), JSON.stringify(record)]));
  const changed = found.filter((record) => before.get(name(record)) !== JSON.stringify(record)).map(name);
  const gone = recorded.map(name).filter((one) => !found.some((record) => name(record) === one));
  return [...changed, ...gone];
}
