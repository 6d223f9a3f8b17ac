/** One way to do the work of a comparison: does `count` operations and resolves when all are done. */
export interface Contender {
  readonly name: string;
  run(count: number): Promise<void>;
}

/** What a comparison found. */
export interface Comparison {
  readonly title: string;
  readonly due: number;
  /** Median over the rounds of ours / theirs: above 1 is faster. */
  readonly ratio: number;
  readonly perSecond: Readonly<Record<string, number>>;
  /** Heap in use after a collection, MiB, grown over all rounds. */
  readonly heapGrowthMiB: number;
  readonly rounds: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function time(contender: Contender, count: number): Promise<number> {
  const start = performance.now();
  await contender.run(count);
  return performance.now() - start;
}

function heapMiB(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

/**
 * Compares by turns, so that what disturbs the machine disturbs both. Rounds go on until there are enough; the
 * first ones warm up and do not count.
 */
export async function compare(
  title: string,
  due: number,
  [ours, theirs]: readonly [Contender, Contender],
  { count, rounds = 15, warmUp = 3 }: { count: number; rounds?: number; warmUp?: number },
): Promise<Comparison> {
  const times: [number, number][] = [];
  let before = 0;
  for (let round = 0; round < rounds + warmUp; round++) {
    if (round === warmUp) before = heapMiB();
    const pair: [number, number] = [0, 0];
    // Who begins changes from round to round.
    for (const turn of round % 2 === 0 ? [0, 1] : [1, 0]) pair[turn] = await time(turn === 0 ? ours : theirs, count);
    if (round >= warmUp) times.push(pair);
  }
  const rate = (index: 0 | 1): number => Math.round(count / (median(times.map((pair) => pair[index])) / 1000));
  return {
    title,
    due,
    ratio: median(times.map(([mine, other]) => other / mine)),
    perSecond: { [ours.name]: rate(0), [theirs.name]: rate(1) },
    heapGrowthMiB: heapMiB() - before,
    rounds,
  };
}
