/** One measured value. */
export interface Figure {
  /** What was measured: `bus.post`, `raw headers()`. */
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
}

export type Unit = "per second" | "ms" | "µs" | "MiB";

/** What a ratio has to be. */
export type Due = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the page: ours beside theirs, or why there is none. */
export interface Row {
  readonly measure: string;
  readonly ours?: Figure;
  readonly theirs?: Figure;
  /** By itself above 1 when ours is better; `due` says which way it is meant otherwise. */
  readonly ratio?: number;
  /** The same by the processor time of this process, which a busy machine disturbs less. */
  readonly cpuRatio?: number;
  readonly due?: Due;
  /** How often both took a turn, without those that warm up. */
  readonly rounds?: number;
  /** Heap in use after collections, grown over all rounds. */
  readonly heapGrowthMiB?: number;
  /** What the reader has to know about this row; with no figures, why there are none. */
  readonly note?: string;
}

/** The machine that measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

/** A comparison as it was run. */
export interface Result {
  readonly name: string;
  readonly rows: readonly Row[];
  /** ISO 8601. */
  readonly date: string;
  readonly seconds: number;
  /** Short turns, which show that a comparison works and nothing else. */
  readonly smoke: boolean;
  /** Processes that wanted to run, on average over the minute before. */
  readonly loadBefore: number;
  readonly machine: Machine;
  /** Runtimes, brokers and packages by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What became of a row. Without a due there is nothing to meet. */
export type Verdict = "met" | "MISSED" | "not run" | "";

export function verdictOf({ ours, ratio, due }: Row): Verdict {
  if (ours === undefined) return "not run";
  if (due === undefined) return "";
  if (ratio === undefined || Number.isNaN(ratio)) return "MISSED";
  return ("atLeast" in due ? ratio >= due.atLeast : ratio <= due.atMost) ? "met" : "MISSED";
}
