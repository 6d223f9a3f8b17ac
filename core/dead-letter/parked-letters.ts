import { EventError } from "../errors.ts";
import type { OutgoingMessage } from "../message.ts";
import { isAsked } from "./letter-filter.ts";
import type { Noted } from "./letter-notes.ts";
import type { LetterNote, LetterStatus, StoredLetter } from "./letter-view.ts";
import type { RedriveRun } from "./redrive-run.ts";
import { releaseMessage } from "./redriven-copy.ts";
import { type Target, targetOf } from "./target.ts";

/** The letters of one parked key of a group. */
export interface ParkedLetters {
  /** Those that hold up what is behind them, and whether this run means them. */
  readonly waiting: { readonly stored: StoredLetter; readonly meant: boolean }[];
  /** The last of the key, whatever was noted of it. */
  last: StoredLetter;
}

/** Stores the message that frees a key, and notes with the last letter that it is stored. */
export type TellGroup = (
  target: Target,
  message: OutgoingMessage,
  last: StoredLetter,
  note: LetterNote,
  before: Noted,
) => Promise<void>;

/** Keeps a letter of a parked key until all of its key are known. */
export async function collect(run: RedriveRun, stored: StoredLetter, matches: boolean): Promise<void> {
  const name = keyName(stored);
  const entry = run.keys.get(name) ?? { waiting: [], last: stored };
  run.keys.set(name, entry);
  entry.last = stored;
  const status = await run.letters.statusOf(stored);
  const meant = matches && (status === "redriving" || isAsked(run.filter, status));
  if (meant || isOpen(status)) entry.waiting.push({ stored, meant });
}

/** Tells the parked keys of groups and destinations apart. */
export function keyName({ facts: { group, destination, parkedKey } }: StoredLetter): string {
  return [group, destination, parkedKey].join("\n");
}

/**
 * Sends the letters of a key in their order, up to the first that stays: what lies behind would overtake it. Answers
 * whether none stays.
 */
export async function sendInOrder(
  run: RedriveRun,
  key: ParkedLetters,
  send: (stored: StoredLetter) => boolean | Promise<boolean>,
): Promise<boolean> {
  const { letters, counts, options } = run;
  const line = inOrder(key);
  for (let at = 0; at < line.length; at++) {
    letters.checkAborted(options.signal);
    const { stored, meant } = line[at]!;
    const sent = meant && (await send(stored));
    run.tell();
    if (sent) continue;
    const behind = line.slice(at + 1).filter((each) => each.meant).length;
    counts.matched += behind;
    counts.held += behind;
    return false;
  }
  return true;
}

/** Tells the group that a key is free, behind the last of its copies; once, unless the filter names the key. */
export async function release(run: RedriveRun, { last }: ParkedLetters, tell: TellGroup): Promise<void> {
  const { letters, filter } = run;
  if (!last.facts.group) return;
  try {
    const before = await letters.notes.get(last);
    const { note } = before;
    if (!note || isOpen(letters.status(note)) || (note.released && filter.key === undefined)) return;
    // Wherever the copies went: the key is parked where its events failed.
    const target = targetOf(letters.env, letters.allowed, last.facts);
    await tell(target, releaseMessage(last, target, last.letter.id), last, { ...note, released: true }, before);
  } catch (reason) {
    const error = EventError.from(reason);
    if (error.code === "fenced" || error.code === "aborted") throw error;
    letters.report(error); // the next redrive says it again
  }
}

/** Whether a letter may still be redriven, so that nothing behind it may go. */
function isOpen(status: LetterStatus): boolean {
  return status === "waiting" || status === "redriving" || status === "uncertain";
}

/** By first occurrence. Positions are numbers in every log; where they are not, the order of the letters stays. */
function inOrder({ waiting }: ParkedLetters): ParkedLetters["waiting"] {
  const place = ({ stored }: ParkedLetters["waiting"][number]): number => Number(stored.letter.origin.position);
  return [...waiting].sort((a, b) => place(a) - place(b) || 0);
}
