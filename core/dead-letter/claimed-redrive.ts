import { EventError } from "../errors.ts";
import type { Noted } from "./letter-notes.ts";
import type { StoredLetter } from "./letter-view.ts";
import { type Going, inOrder, isAsked, type RedriveRun } from "./redrive-run.ts";

const usualConcurrency = 64;
/** How often the claims of runs that seem dead are waited for. */
const maxRounds = 2;

/** A letter in the hands of a run that may have died. */
interface Claimed {
  readonly stored: StoredLetter;
  /** When that run counts as dead, unless it gives a sign of life. */
  readonly dueMs: number;
}

/** Of a letter that nobody has touched. */
const unnoted: Noted = { note: undefined, revision: 0 };

/** Each letter is claimed before its copy is sent and noted afterwards, so that of two runs one sends it. */
export async function redriveByClaims(run: RedriveRun): Promise<void> {
  const { letters } = run;
  const { concurrency = usualConcurrency, signal } = run.options;
  const { clock } = letters.env;
  /** About in the order in which they are due. */
  const claimed = new Map<string, Claimed>();
  const running = new Set<Promise<unknown>>();
  const start = async (stored: StoredLetter): Promise<void> => {
    const work = claimAndSend(run, claimed, stored).then(() => {
      running.delete(work);
      run.tell();
    });
    running.add(work);
    if (running.size >= concurrency) await Promise.race(running);
  };
  try {
    for await (const { stored, matches } of run.read()) {
      if (stored.facts.parkedKey !== undefined) await run.collect(stored, matches);
      if (!matches || stored.facts.parkedKey !== undefined) continue;
      await start(stored);
      // Not at the end of a long run: by then no broker might recognise what the dead one has sent.
      const [next] = claimed.values();
      if (!next || next.dueMs > clock.now()) continue;
      claimed.delete(next.stored.letter.id);
      await start(next.stored);
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
    await letters.waitUntil(Math.max(...left.map(({ dueMs }) => dueMs)), signal);
    for (const { stored } of left) await claimAndSend(run, claimed, stored);
  }
  run.counts.held += claimed.size;
}

/** Answers whether the copy is stored. Never rejects. */
async function claimAndSend(run: RedriveRun, claimed: Map<string, Claimed>, stored: StoredLetter): Promise<boolean> {
  const { letters, filter } = run;
  const { id } = stored.letter;
  try {
    if (run.guessing && isAsked(filter, "waiting")) {
      const sent = await sendUntouched(run, stored);
      if (sent !== undefined) return sent;
    }
    const before = await letters.notes.get(id);
    run.looked(before.note);
    const status = letters.status(before.note);
    if (status === "redriving" && letters.isDead(before.note!)) {
      return await send(run, stored, before, before.note!.sinceMs ?? before.note!.atMs);
    }
    if (status === "redriving") claimed.set(id, { stored, dueMs: letters.deadAtMs(before.note!) });
    else if (isAsked(filter, status)) return await send(run, stored, before, undefined);
    else if (status === "uncertain") run.counts.uncertain++;
  } catch (reason) {
    run.fail(id, EventError.from(reason));
  }
  return false;
}

/** Claims a letter without a look at its note, which saves asking for it. Undefined: there is a note. */
async function sendUntouched(run: RedriveRun, stored: StoredLetter): Promise<boolean | undefined> {
  const { letters, counts } = run;
  const { id } = stored.letter;
  letters.checkAborted(run.options.signal);
  const claim = await claimFor(run, id, unnoted, undefined);
  if (!claim) return undefined;
  counts.matched++;
  const going = run.prepare(stored);
  if (going) return deliver(run, going, unnoted, claim, undefined);
  await letters.notes.set(id, undefined, claim);
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
  counts.matched++;
  const going = run.prepare(stored);
  if (!going) return false;
  let claim: Noted | undefined;
  try {
    await run.pace.next(1, options.signal);
    letters.checkAborted(options.signal);
    claim = await claimFor(run, stored.letter.id, before, sinceMs);
  } catch (reason) {
    going.end(EventError.from(reason));
    throw reason;
  }
  if (claim) return deliver(run, going, before, claim, sinceMs);
  counts.held++; // another run was faster
  going.end();
  return false;
}

function claimFor(run: RedriveRun, id: string, before: Noted, sinceMs: number | undefined): Promise<Noted | undefined> {
  const { notes, env } = run.letters;
  const atMs = env.clock.now();
  return notes.set(id, { status: "redriving", atMs, sinceMs: sinceMs ?? atMs, run: run.id }, before);
}

/** Sends the copy of a letter that is claimed. */
async function deliver(
  run: RedriveRun,
  going: Going,
  before: Noted,
  claim: Noted,
  sinceMs: number | undefined,
): Promise<boolean> {
  const { notes, env } = run.letters;
  const { id } = going.stored.letter;
  try {
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
    run.counts.redriven++;
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
