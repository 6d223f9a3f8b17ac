/** How long a comparison runs. */
export interface Turns {
  /** Operations in a turn. */
  readonly count: number;
  /** Turns that count, of each contender. */
  readonly rounds: number;
  /** Turns before them. */
  readonly warmUp: number;
}

/** Short turns that show that a comparison works; their figures mean nothing and are never written down. */
export const smoke: boolean = process.env.BENCH_SMOKE === "1";

/** The lengths of a run: as given, or a sixteenth of it in three rounds. */
export function scaled({ count, rounds, warmUp }: Turns): Turns {
  if (!smoke) return { count, rounds, warmUp };
  // Contenders work in windows of up to 500: less than two would not be a turn.
  return { count: Math.max(Math.min(count, 1_024), Math.round(count / 16)), rounds: Math.min(rounds, 3), warmUp: 1 };
}
