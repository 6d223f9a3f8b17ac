import type { Result, Row } from "../../bench/result.ts";

/** A result as `npm run bench` keeps it, with figures that nobody measured. */
export function resultOf(name: string, rows: readonly Row[], changes: Partial<Result> = {}): Result {
  return {
    name,
    rows,
    date: "2030-01-02T03:04:05.678Z",
    seconds: 12.3,
    smoke: false,
    loadBefore: 0.25,
    machine: { cpu: "A Processor", cores: 4, memoryGiB: 16, system: "A System" },
    versions: { Node: "20.0.0" },
    ...changes,
  };
}

/** A row with both figures. */
export function rowOf(measure: string, ratio: number, due?: Row["due"], note?: string): Row {
  return {
    measure,
    ours: { name: "ours", value: 12_345.6, unit: "per second" },
    theirs: { name: "theirs", value: 9_876, unit: "per second" },
    ratio,
    rounds: 7,
    ...(due && { due }),
    ...(note !== undefined && { note }),
  };
}
