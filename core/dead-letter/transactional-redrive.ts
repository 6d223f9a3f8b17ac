import { EventError } from "../errors.ts";
import type { NotedSending } from "./letter-notes.ts";
import type { LetterNote, StoredLetter } from "./letter-view.ts";
import { type Going, inOrder, isAsked, type RedriveRun } from "./redrive-run.ts";

/** Most letters of one transaction: what a run that fails has to send again. */
const batchLetters = 100;
/** Transactions per second at least, where there is a rate: a batch is a burst. */
const batchesPerSecond = 20;

/** Copies and notes go as one, in batches; no other run goes on beside this one with letters in the same place. */
export async function redriveByTransactions(run: RedriveRun): Promise<void> {
  const { rate } = run.options;
  const { notes } = run.letters;
  /** By place; opened before the first look at a note there. */
  const opened = new Map<string, NotedSending>();
  const open = async (place: string): Promise<NotedSending> => {
    let sending = opened.get(place);
    if (!sending) {
      sending = await notes.transaction!(place);
      opened.set(place, sending);
    }
    return sending;
  };
  const size = rate === undefined ? batchLetters : Math.ceil(Math.min(batchLetters, rate / batchesPerSecond));
  let batch: Going[] = [];
  const flush = async (): Promise<void> => {
    const going = batch;
    batch = [];
    if (going.length > 0) await send(run, await open(going[0]!.stored.place), going);
  };
  const add = async (stored: StoredLetter): Promise<void> => {
    if (batch.length > 0 && batch[0]!.stored.place !== stored.place) await flush();
    const going = run.prepare(stored);
    if (going) batch.push(going);
    if (batch.length >= size) await flush();
  };
  try {
    for await (const { stored, matches } of run.read()) {
      const { parkedKey } = stored.facts;
      if (!matches && parkedKey === undefined) continue;
      await open(stored.place);
      if (parkedKey !== undefined) await run.collect(stored, matches);
      else if (await isMeant(run, stored)) await add(stored);
    }
    await flush();
    for (const key of run.keys.values()) {
      const before = run.counts.redriven;
      const letters: StoredLetter[] = [];
      for (const stored of inOrder(key)) if (await isMeant(run, stored)) letters.push(stored);
      for (const stored of letters) await add(stored);
      await flush();
      if (!key.open && run.counts.redriven - before === letters.length) await run.release(key);
    }
  } finally {
    for (const sending of opened.values()) await sending.close().catch(() => undefined);
  }
}

async function isMeant({ letters, filter, counts }: RedriveRun, stored: StoredLetter): Promise<boolean> {
  const status = await letters.statusOf(stored);
  // Whoever began it is fenced by now. Where copies go elsewhere it may have sent this one.
  const known = status === "redriving" ? "uncertain" : status;
  const meant = isAsked(filter, known);
  if (meant) counts.matched++;
  else if (known === "uncertain") counts.uncertain++;
  return meant;
}

async function send(run: RedriveRun, open: NotedSending, going: readonly Going[]): Promise<void> {
  const { letters, counts, options } = run;
  const { signal } = options;
  await run.pace.next(going.length, signal);
  letters.checkAborted(signal);
  const atMs = letters.env.clock.now();
  const noted = (status: "redriven" | "redriving"): (readonly [StoredLetter, LetterNote])[] => {
    const note: LetterNote = { status, atMs, sinceMs: status === "redriving" ? atMs : undefined, run: run.id };
    return going.map(({ stored }) => [stored, note]);
  };
  try {
    const own = going.every(({ target }) => target.transport === letters.transport);
    if (!own) {
      // Elsewhere nothing goes as one: what is begun and not noted as redriven is uncertain for the next run.
      await open.send([], noted("redriving"), signal);
      for (const each of going) {
        const outcome = await run.publish(each);
        if (!outcome.stored) throw outcome.error;
      }
    }
    await open.send(own ? going.map(({ message }) => message) : [], noted("redriven"), signal);
    counts.redriven += going.length;
    for (const each of going) each.end();
  } catch (reason) {
    const error = EventError.from(reason);
    for (const each of going) each.end(error);
    // Nothing more can be sent by a run that was fenced, or whose last answer is missing.
    if (error.code === "fenced" || error.outcome === "unknown" || error.code === "aborted") throw error;
    for (const { stored } of going) run.fail(stored.letter.id, error);
  }
  run.tell();
}
