/** One way to do the work of a comparison: does `count` operations and resolves when all are done. */
export interface Contender {
  readonly name: string;
  /** Returns the time it took, in milliseconds, where it measures that itself: without what it has to open first. */
  run(count: number): Promise<unknown>;
}

/** What a comparison found. */
export interface Comparison {
  readonly title: string;
  readonly due: number;
  /** Median over the rounds of their time / ours: above 1 is faster. */
  readonly ratio: number;
  /** The same of this process's processor time, which a busy machine disturbs less. */
  readonly cpuRatio: number;
  readonly perSecond: Readonly<Record<string, number>>;
  /** Heap in use after a collection, MiB, grown over all rounds. */
  readonly heapGrowthMiB: number;
  readonly rounds: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

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

function heapMiB(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

/**
 * Compares by turns, so that what disturbs the machine disturbs both: the shorter the turns, the better. The first
 * rounds warm up and do not count.
 */
export async function compare(
  title: string,
  due: number,
  [ours, theirs]: readonly [Contender, Contender],
  { count, rounds, warmUp }: { count: number; rounds: number; warmUp: number },
): Promise<Comparison> {
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
  const rate = (turns: readonly Turn[]): number =>
    Math.round(count / (median(turns.map(({ elapsedMs }) => elapsedMs)) / 1000));
  const ratio = (of: keyof Turn): number => median(mine.map((turn, round) => others[round]![of] / turn[of]));
  return {
    title,
    due,
    ratio: ratio("elapsedMs"),
    cpuRatio: ratio("cpuMs"),
    perSecond: { [ours.name]: rate(mine), [theirs.name]: rate(others) },
    heapGrowthMiB: heapMiB() - before,
    rounds,
  };
}
