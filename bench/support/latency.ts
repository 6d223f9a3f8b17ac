import type { Row } from "../result.ts";
import { quantile } from "./statistics.ts";
import { scaled, type Turns } from "./turns.ts";

/** One way to do an operation whose duration matters. */
export interface Timed {
  readonly name: string;
  /** Does it once. Returns milliseconds where it measures itself. */
  one(): Promise<unknown>;
}

async function turn(contender: Timed, count: number): Promise<number[]> {
  const durations: number[] = [];
  for (let n = 0; n < count; n++) {
    const start = performance.now();
    const own = await contender.one();
    durations.push(typeof own === "number" ? own : performance.now() - start);
  }
  return durations;
}

/**
 * Times one operation after another, in turns of all contenders: the first is ours. For p50 and p99 of all durations
 * a row against each of the others; the ratio is theirs / ours, above 1 ours is shorter.
 */
export async function latencies(
  measure: string,
  contenders: readonly [Timed, ...Timed[]],
  turns: Turns,
  note?: string,
): Promise<Row[]> {
  const { count, rounds, warmUp } = scaled(turns);
  const durations = contenders.map((): number[] => []);
  for (let round = 0; round < rounds + warmUp; round++) {
    for (let n = 0; n < contenders.length; n++) {
      // Who begins changes from round to round.
      const each = (n + round) % contenders.length;
      const taken = await turn(contenders[each]!, count);
      if (round >= warmUp) durations[each]!.push(...taken);
    }
  }
  return [0.5, 0.99].flatMap((share) => {
    const [ours, ...others] = durations.map((all) => quantile(all, share) * 1000);
    return others.map((theirs, n) => ({
      measure: `${measure}, p${share * 100}`,
      ours: { name: contenders[0].name, value: ours!, unit: "µs" as const },
      theirs: { name: contenders[n + 1]!.name, value: theirs, unit: "µs" as const },
      ratio: theirs / ours!,
      rounds,
      ...(note !== undefined && { note }),
    }));
  });
}
