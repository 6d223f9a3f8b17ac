import { EventError } from "../errors.ts";
import type { Noted } from "./letter-notes.ts";
import type { StoredLetter } from "./letter-view.ts";
import { inOrder, isAsked, type RedriveRun } from "./redrive-run.ts";

const usualConcurrency = 64;
/** How often the claims of runs that seem dead are waited for. */
const maxRounds = 2;

/** Each letter is claimed before its copy is sent and noted afterwards, so that of two runs one sends it. */
export async function redriveByClaims(run: RedriveRun): Promise<void> {
  const { letters } = run;
  const { concurrency = usualConcurrency, signal } = run.options;
  /** In the hands of runs that may have died. */
  const claimed = new Map<string, StoredLetter>();
  const running = new Set<Promise<unknown>>();
  try {
    for await (const { stored, matches } of run.read()) {
      if (stored.facts.parkedKey !== undefined) await run.collect(stored, matches);
      if (!matches || stored.facts.parkedKey !== undefined) continue;
      const work = claimAndSend(run, claimed, stored).then(() => {
        running.delete(work);
        run.tell();
      });
      running.add(work);
      if (running.size >= concurrency) await Promise.race(running);
    }
  } finally {
    // Nothing is left in the middle by who gives up.
    await Promise.all(running);
  }
  letters.checkAborted(signal);
  for (const key of run.keys.values()) {
    let sent = true;
    for (const stored of inOrder(key)) {
      letters.checkAborted(signal);
      sent = await claimAndSend(run, claimed, stored);
      run.tell();
      if (!sent) break; // what lies behind would overtake it
    }
    if (sent && !key.open) await run.release(key);
  }
  for (let round = 0; claimed.size > 0 && round < maxRounds; round++) {
    const left = [...claimed.values()];
    claimed.clear();
    await letters.waitForClaims(signal);
    for (const stored of left) await claimAndSend(run, claimed, stored);
  }
  run.counts.held += claimed.size;
}

/** Answers whether the copy is stored. Never rejects. */
async function claimAndSend(
  run: RedriveRun,
  claimed: Map<string, StoredLetter>,
  stored: StoredLetter,
): Promise<boolean> {
  const { letters, filter } = run;
  const { id } = stored.letter;
  try {
    const before = await letters.notes.get(id);
    const status = letters.status(before.note);
    if (status === "redriving" && letters.isDead(before.note!)) {
      return await send(run, stored, before, before.note!.sinceMs ?? before.note!.atMs);
    }
    if (status === "redriving") claimed.set(id, stored);
    else if (isAsked(filter, status)) return await send(run, stored, before, undefined);
    else if (status === "uncertain") run.counts.uncertain++;
  } catch (reason) {
    run.fail(id, EventError.from(reason));
  }
  return false;
}

/** `sinceMs`: when a run began to send it that died since. */
async function send(
  run: RedriveRun,
  stored: StoredLetter,
  before: Noted,
  sinceMs: number | undefined,
): Promise<boolean> {
  const { letters, counts, options } = run;
  const { notes, env } = letters;
  const { id } = stored.letter;
  counts.matched++;
  const going = run.prepare(stored);
  if (!going) return false;
  try {
    await run.pace.next(1, options.signal);
    letters.checkAborted(options.signal);
    const now = env.clock.now();
    const note = { status: "redriving", atMs: now, sinceMs: sinceMs ?? now, run: run.id } as const;
    const claim = await notes.set(id, note, before);
    if (!claim) {
      counts.held++; // another run was faster
      going.end();
      return false;
    }
    const outcome = await run.publish(going);
    // A copy that is there already is this one only if it may have been sent before.
    const swallowed = outcome.stored && outcome.at.duplicate && sinceMs === undefined;
    if (!outcome.stored || swallowed) {
      // What may be stored keeps its claim: the next run sends the same copy, and the broker recognises it.
      if (outcome.stored || outcome.outcome === "failed") await notes.set(id, before.note, claim);
      throw outcome.stored ? swallowedError(id) : outcome.error;
    }
    const done = await notes.set(id, { status: "redriven", atMs: env.clock.now(), run: run.id }, claim);
    // Somebody else thinks that this run has died, and decides.
    if (!done) throw new EventError("fenced", `another run took letter ${id} over`);
    counts.redriven++;
    going.end();
    return true;
  } catch (reason) {
    going.end(EventError.from(reason));
    throw reason;
  }
}

function swallowedError(id: string): EventError {
  return new EventError("transport-failed", `the broker takes the copy of letter ${id} for another message`, {
    outcome: "failed",
  });
}
