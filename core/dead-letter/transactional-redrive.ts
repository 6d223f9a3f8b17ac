import { sendBatch } from "./letter-batch.ts";
import { isAsked } from "./letter-filter.ts";
import type { NotedSending } from "./letter-notes.ts";
import type { StoredLetter } from "./letter-view.ts";
import { collect, release, sendInOrder, type TellGroup } from "./parked-letters.ts";
import type { Going, RedriveRun } from "./redrive-run.ts";

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
  /** Answers whether all of the batch are stored. */
  const flush = async (): Promise<boolean> => {
    const going = batch;
    batch = [];
    return going.length === 0 || sendBatch(run, await open(going[0]!.stored.place), going);
  };
  /** Answers false where the copy is not sent. */
  const add = async (stored: StoredLetter): Promise<boolean> => {
    if (!(await isMeant(run, stored))) return false;
    if (batch.length > 0 && batch[0]!.stored.place !== stored.place) await flush();
    const going = run.prepare(stored);
    if (!going) return false;
    batch.push(going);
    return batch.length < size || flush();
  };
  const free: TellGroup = async ({ transport }, message, last, note) => {
    const sending = await open(last.place);
    const own = transport === run.letters.transport;
    const [outcome] = own ? [] : await transport.publish([message]);
    if (outcome && !outcome.stored) throw outcome.error;
    await sending.send(own ? [message] : [], [[last, note]], run.options.signal);
  };
  try {
    for await (const { stored, matches } of run.read()) {
      const { parkedKey } = stored.facts;
      if (!matches && parkedKey === undefined) continue;
      await open(stored.place);
      if (parkedKey !== undefined) await collect(run, stored, matches);
      else await add(stored);
    }
    await flush();
    for (const key of run.keys.values()) {
      const all = await sendInOrder(run, key, add);
      if ((await flush()) && all) await release(run, key, free);
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
