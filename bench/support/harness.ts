import type { Due, Row } from "../result.ts";
import { median } from "./statistics.ts";
import { scaled, type Turns } from "./turns.ts";

/** One way to do the work of a comparison: does `count` operations and resolves when all are done. */
export interface Contender {
  readonly name: string;
  /** Returns the time it took, in milliseconds, where it measures that itself: without what it has to open first. */
  run(count: number): Promise<unknown>;
}

interface Turn {
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

async function time(contender: Contender, count: number): Promise<Turn> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const own = await contender.run(count);
  const elapsedMs = typeof own === "number" ? own : performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { elapsedMs, cpuMs: (user + system) / 1000 };
}

/** Heap in use after collections. One is not enough: what finalizers let go is collected by the next. */
export function heapMiB(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("the heap is measured with --expose-gc");
  for (let n = 0; n < 4; n++) gc();
  return process.memoryUsage().heapUsed / 1_048_576;
}

/** What a row says beside its figures. */
export interface RowOptions {
  readonly due?: Due;
  readonly note?: string;
  /** Theirs runs in a process of its own, so this process's processor time tells nothing of it. */
  readonly elsewhere?: boolean;
}

/**
 * Compares by turns, so that what disturbs the machine disturbs both: the shorter the turns, the better. The first
 * rounds warm up and do not count. The ratio is the median over the rounds of their time / ours: above 1 is faster.
 */
export async function compare(
  measure: string,
  [ours, theirs]: readonly [Contender, Contender],
  turns: Turns,
  { due, note, elsewhere = false }: RowOptions = {},
): Promise<Row> {
  const { count, rounds, warmUp } = scaled(turns);
  const mine: Turn[] = [];
  const others: Turn[] = [];
  let before = 0;
  for (let round = 0; round < rounds + warmUp; round++) {
    if (round === warmUp) before = heapMiB();
    const counts = round >= warmUp;
    // Who begins changes from round to round.
    for (const ourTurn of round % 2 === 0 ? [true, false] : [false, true]) {
      const turn = await time(ourTurn ? ours : theirs, count);
      if (counts) (ourTurn ? mine : others).push(turn);
    }
  }
  const rate = (of: readonly Turn[]): number => count / (median(of.map(({ elapsedMs }) => elapsedMs)) / 1000);
  const ratio = (of: keyof Turn): number => median(mine.map((turn, round) => others[round]![of] / turn[of]));
  return {
    measure,
    ours: { name: ours.name, value: rate(mine), unit: "per second" },
    theirs: { name: theirs.name, value: rate(others), unit: "per second" },
    ratio: ratio("elapsedMs"),
    ...(!elsewhere && { cpuRatio: ratio("cpuMs") }),
    ...(due && { due }),
    ...(note !== undefined && { note }),
    rounds,
    heapGrowthMiB: heapMiB() - before,
  };
}
