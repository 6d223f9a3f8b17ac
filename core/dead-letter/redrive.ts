import type { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import { redriveByClaims } from "./claimed-redrive.ts";
import { isAsked, type LetterFilter } from "./letter-filter.ts";
import type { Letter, StoredLetter } from "./letter-view.ts";
import type { Letters } from "./letters.ts";
import { collect, sendInOrder } from "./parked-letters.ts";
import { RedriveRun } from "./redrive-run.ts";
import type { RedriveTarget } from "./target.ts";
import { redriveByTransactions } from "./transactional-redrive.ts";

/** How a redrive goes on. */
export interface RedriveProgress {
  /** Letters that were looked at. */
  readonly seen: number;
  /** Of these, meant by the filter. */
  readonly matched: number;
  /** Copies that were stored, or would be. */
  readonly redriven: number;
  /** Left out by `transform`. */
  readonly skipped: number;
  /** In the hands of another run, noted as done since, or behind a letter of the same parked key that stays. */
  readonly held: number;
  /** Nobody can tell whether an earlier run, which died, stored their copies: they are left to the operator. */
  readonly uncertain: number;
  /** Not stored, so that they are `waiting` again; or without an answer, which leaves them `redriving`, then `uncertain`. */
  readonly failed: number;
}

/** What a redrive did. */
export interface RedriveReport extends RedriveProgress {
  /** The first hundred that failed, and why. */
  readonly failures: readonly { readonly id: string; readonly error: EventError }[];
}

/** Options of `redrive`. */
export interface RedriveOptions {
  /** Copies per second. Default: as fast as they are stored. */
  readonly rate?: number;
  /** Counts what would be redriven and changes nothing. Default: false. */
  readonly dryRun?: boolean;
  /** Gives the event as it is to be redriven, or undefined to leave the letter where it is. Not asked for unreadable ones. */
  readonly transform?: (letter: Letter) => CloudEvent | undefined;
  /** Another place than where the event failed. */
  readonly to?: RedriveTarget;
  /** How many letters are worked on at once where they are claimed one by one. Default: 64. */
  readonly concurrency?: number;
  /**
   * Called after letters were worked on, at most ten times a second and at the end. What it throws goes to `onError` of
   * the bus.
   */
  readonly onProgress?: (progress: RedriveProgress) => void;
  /** Stops after what is on its way; rejects with code `aborted`. What was redriven stays so. */
  readonly signal?: AbortSignal;
}

/** Redrives what the filter means. */
export async function redrive(letters: Letters, filter: LetterFilter, options: RedriveOptions): Promise<RedriveReport> {
  const run = new RedriveRun(letters, filter, options);
  await letters.notes.refresh(options.signal);
  if (options.dryRun) await count(run, filter);
  else if (letters.notes.transaction) await redriveByTransactions(run);
  else await redriveByClaims(run);
  run.tell(true);
  return { ...run.counts, failures: run.failures };
}

async function count(run: RedriveRun, filter: LetterFilter): Promise<void> {
  const would = async (stored: StoredLetter): Promise<boolean> => {
    if (!isAsked(filter, await run.letters.statusOf(stored))) return false;
    run.counts.matched++;
    if (!run.evaluate(stored)) return false;
    run.counts.redriven++;
    return true;
  };
  for await (const { stored, matches } of run.read()) {
    if (stored.facts.parkedKey !== undefined) await collect(run, stored, matches);
    else if (matches) await would(stored);
    run.tell();
  }
  for (const key of run.keys.values()) await sendInOrder(run, key, would);
}
