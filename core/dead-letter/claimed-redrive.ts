import { EventError } from "../errors.ts";
import { createHeldClaims, type HeldClaims } from "./held-claims.ts";
import { isAsked } from "./letter-filter.ts";
import type { Noted } from "./letter-notes.ts";
import type { StoredLetter } from "./letter-view.ts";
import { collect, release, sendInOrder, type TellGroup } from "./parked-letters.ts";
import type { Going, RedriveRun } from "./redrive-run.ts";
import { recognising, type Target } from "./target.ts";

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
  const claims: Claims = { run, claimed: new Map(), held: createHeldClaims(run.letters) };
  try {
    await redriveAll(claims);
  } finally {
    claims.held.close();
  }
}

/** What a run has claimed, and what others have. */
interface Claims {
  readonly run: RedriveRun;
  /** About in the order in which they are due. */
  readonly claimed: Map<string, Claimed>;
  readonly held: HeldClaims;
}

async function redriveAll(claims: Claims): Promise<void> {
  const { run, claimed } = claims;
  const { letters } = run;
  const { concurrency = usualConcurrency, signal } = run.options;
  const { clock } = letters.env;
  const running = new Set<Promise<unknown>>();
  const start = async (stored: StoredLetter): Promise<void> => {
    const work = claimAndSend(claims, stored).then(() => {
      running.delete(work);
      run.tell();
    });
    running.add(work);
    if (running.size >= concurrency) await Promise.race(running);
  };
  try {
    for await (const { stored, matches } of run.read()) {
      if (stored.facts.parkedKey !== undefined) await collect(run, stored, matches);
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
  const free: TellGroup = async (target, message, last, note, before) => {
    const [outcome] = await target.transport.publish([message]);
    if (!outcome!.stored) throw outcome!.error;
    await letters.notes.set(last, note, before);
  };
  for (const key of run.keys.values()) {
    if (await sendInOrder(run, key, (stored) => claimAndSend(claims, stored))) await release(run, key, free);
  }
  for (let round = 0; claimed.size > 0 && round < maxRounds; round++) {
    const left = [...claimed.values()];
    claimed.clear();
    await letters.waitUntil(Math.max(...left.map(({ dueMs }) => dueMs)), signal);
    for (const { stored } of left) await claimAndSend(claims, stored);
  }
  run.counts.held += claimed.size;
}

/** Answers whether the copy is stored. Never rejects. */
async function claimAndSend(claims: Claims, stored: StoredLetter): Promise<boolean> {
  const { run, claimed } = claims;
  const { letters, filter } = run;
  const { id } = stored.letter;
  try {
    if (run.guessing && isAsked(filter, "waiting")) {
      const sent = await sendUntouched(claims, stored);
      if (sent !== undefined) return sent;
    }
    const before = await letters.notes.get(stored);
    run.looked(before.note);
    const status = letters.status(before.note);
    if (status === "redriving" && letters.isDead(before.note!)) {
      return await send(claims, stored, before, before.note!.sinceMs ?? before.note!.atMs);
    }
    if (status === "redriving") claimed.set(id, { stored, dueMs: letters.deadAtMs(before.note!) });
    else if (isAsked(filter, status)) return await send(claims, stored, before, undefined);
    else if (status === "uncertain") run.counts.uncertain++;
  } catch (reason) {
    run.fail(id, EventError.from(reason));
  }
  return false;
}

/** Claims a letter without a look at its note, which saves asking for it. Undefined: a look is needed. */
async function sendUntouched(claims: Claims, stored: StoredLetter): Promise<boolean | undefined> {
  const { run } = claims;
  const { letters, counts } = run;
  letters.checkAborted(run.options.signal);
  const target = run.targetOf(stored);
  const claim = target && (await claimFor(run, stored, target, unnoted, undefined));
  if (!claim) return undefined;
  counts.matched++;
  const going = run.prepare(stored);
  if (going) return deliver(claims, going, unnoted, claim, undefined);
  await letters.notes.set(stored, undefined, claim);
  return false;
}

/** `beganMs`: when a run began to send it that died since. */
async function send(
  claims: Claims,
  stored: StoredLetter,
  before: Noted,
  beganMs: number | undefined,
): Promise<boolean> {
  const { run } = claims;
  const { letters, counts, options, filter } = run;
  counts.matched++;
  const going = run.prepare(stored);
  if (!going) return false;
  let sinceMs = beganMs;
  // Here nobody recognises what a dead run has sent elsewhere.
  if (beganMs !== undefined && before.note!.target !== recognising(going.target)) {
    if (!isAsked(filter, "uncertain")) {
      counts.uncertain++;
      going.end();
      return false;
    }
    sinceMs = undefined;
  }
  let claim: Noted | undefined;
  try {
    await run.pace.next(1, options.signal);
    letters.checkAborted(options.signal);
    claim = await claimFor(run, stored, going.target, before, sinceMs);
  } catch (reason) {
    going.end(EventError.from(reason));
    throw reason;
  }
  if (claim) return deliver(claims, going, before, claim, sinceMs);
  counts.held++; // another run was faster
  going.end();
  return false;
}

function claimFor(
  { letters: { notes, env }, id }: RedriveRun,
  stored: StoredLetter,
  target: Target,
  before: Noted,
  sinceMs: number | undefined,
): Promise<Noted | undefined> {
  const atMs = env.clock.now();
  const note = { atMs, sinceMs: sinceMs ?? atMs, run: id, target: recognising(target) };
  return notes.set(stored, { status: "redriving", ...note }, before);
}

/** Sends the copy of a letter that is claimed. */
async function deliver(
  { run, held }: Claims,
  going: Going,
  before: Noted,
  claimed: Noted,
  sinceMs: number | undefined,
): Promise<boolean> {
  const { notes, env } = run.letters;
  const { stored } = going;
  const { id } = stored.letter;
  const holding = held.hold(stored, claimed);
  try {
    const outcome = await run.publish(going);
    const claim = await held.end(holding);
    // A copy that is there already is this one only if it may have been sent before.
    const swallowed = outcome.stored && outcome.at.duplicate && sinceMs === undefined;
    if (!outcome.stored || swallowed) {
      // What may be stored keeps its claim: the next run sends the same copy, and the broker recognises it.
      if (outcome.stored || outcome.outcome === "failed") await notes.set(stored, before.note, claim);
      throw outcome.stored ? swallowedError(id) : outcome.error;
    }
    const done = await notes.set(stored, { status: "redriven", atMs: env.clock.now(), run: run.id }, claim);
    // Somebody else thinks that this run has died, and decides.
    if (!done) throw new EventError("fenced", `another run took letter ${id} over`);
    run.counts.redriven++;
    going.end();
    return true;
  } catch (reason) {
    await held.end(holding);
    going.end(EventError.from(reason));
    throw reason;
  }
}

function swallowedError(id: string): EventError {
  return new EventError("transport-failed", `the broker takes the copy of letter ${id} for another message`, {
    outcome: "failed",
  });
}
