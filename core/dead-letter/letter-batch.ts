import { EventError, type EventErrorCode } from "../errors.ts";
import type { PublishOutcome } from "../transport.ts";
import type { NotedSending } from "./letter-notes.ts";
import type { LetterNote, StoredLetter } from "./letter-view.ts";
import type { Going, RedriveRun } from "./redrive-run.ts";

/** What concerns one message: others beside it can be stored. */
const ofOneMessage: ReadonlySet<EventErrorCode> = /* @__PURE__ */ new Set(["too-large", "invalid-header"]);
/** What concerns one destination: what goes to others can be stored. */
const ofOneDestination: ReadonlySet<EventErrorCode> = /* @__PURE__ */ new Set(["denied", "invalid-destination"]);

/**
 * Sends the copies of one batch and notes them. Answers whether all are stored. What can never be stored fails alone;
 * of a parked key nothing goes that is behind it.
 */
export async function sendBatch(run: RedriveRun, sending: NotedSending, going: readonly Going[]): Promise<boolean> {
  const { letters, options, counts } = run;
  const before = counts.redriven;
  const open = new Set(going);
  try {
    await run.pace.next(going.length, options.signal);
    letters.checkAborted(options.signal);
    const own = going.every(({ target }) => target.transport === letters.transport);
    await (own ? sendAsOne : sendElsewhere)(run, sending, open);
  } catch (reason) {
    const error = EventError.from(reason);
    if (endsRun(error)) {
      for (const each of open) each.end(error);
      throw error;
    }
    fail(run, open, [...open], error);
  }
  run.tell();
  return counts.redriven - before === going.length;
}

/** Copies and notes go as one; a batch with something in it that cannot be stored goes in parts. */
async function sendAsOne(run: RedriveRun, sending: NotedSending, open: Set<Going>): Promise<void> {
  const parts: (readonly Going[])[] = [[...open]];
  for (let part = parts.shift(); part; part = parts.shift()) {
    const copies = part.map(({ message }) => message);
    try {
      await sending.send(copies, noted(run, part, "redriven"), run.options.signal);
    } catch (reason) {
      const error = EventError.from(reason);
      if (endsRun(error)) throw error;
      const smaller = partsOf(part, error);
      parts.unshift(...smaller);
      if (smaller.length > 0) continue;
      fail(run, open, part, error);
      if (isInLine(part)) return hold(run, open);
      continue;
    }
    done(run, open, part);
  }
}

/** Copies go one by one: what is begun and not noted as redriven or as it was before is uncertain for the next run. */
async function sendElsewhere(run: RedriveRun, sending: NotedSending, open: Set<Going>): Promise<void> {
  const { letters, options } = run;
  const going = [...open];
  /** What each letter had before, as long as it goes back to that. */
  const before = new Map<Going, LetterNote | undefined>();
  for (const each of going) before.set(each, (await letters.notes.get(each.stored)).note);
  await sending.send([], noted(run, going, "redriving"), options.signal);
  const stored: Going[] = [];
  const failed: (readonly [Going, EventError])[] = [];
  for (const each of going) {
    if (options.signal?.aborted) break;
    const outcome = await publish(run, each);
    if (outcome.stored) stored.push(each);
    else failed.push([each, outcome.error]);
    if (outcome.stored || outcome.outcome === "unknown") before.delete(each);
    if (!outcome.stored && (isInLine(going) || !ofOneMessage.has(outcome.error.code))) break;
  }
  const asBefore = [...before].map(([each, note]) => [each.stored, note] as const);
  // Not given up: the copies are stored, whoever loses interest.
  await sending.send([], [...noted(run, stored, "redriven"), ...asBefore]);
  done(run, open, stored);
  for (const [each, error] of failed) fail(run, open, [each], error);
  letters.checkAborted(options.signal);
  if (isInLine(going)) hold(run, open);
  else if (open.size > 0) fail(run, open, [...open], failed.at(-1)![1]);
}

async function publish(run: RedriveRun, going: Going): Promise<PublishOutcome> {
  try {
    return await run.publish(going);
  } catch (reason) {
    const error = EventError.from(reason);
    return { stored: false, outcome: error.outcome ?? "unknown", retrySafe: false, error };
  }
}

/** Nothing more can be sent by a run that was fenced or given up, or whose last answer is missing. */
function endsRun({ code, outcome }: EventError): boolean {
  return code === "fenced" || code === "aborted" || outcome === "unknown";
}

/** Parts of what cannot be stored as a whole of which some may be; none where the reason stands for all. */
function partsOf(part: readonly Going[], { code }: EventError): readonly (readonly Going[])[] {
  if (part.length < 2) return [];
  if (ofOneMessage.has(code)) {
    const half = part.length >> 1;
    return [part.slice(0, half), part.slice(half)];
  }
  if (!ofOneDestination.has(code)) return [];
  const destinations = new Map<string, Going[]>();
  for (const each of part) {
    const there = destinations.get(each.message.destination);
    if (there) there.push(each);
    else destinations.set(each.message.destination, [each]);
  }
  return destinations.size > 1 ? [...destinations.values()] : [];
}

/** Whether these are letters of one parked key, in their order. */
function isInLine([first]: readonly Going[]): boolean {
  return first?.stored.facts.parkedKey !== undefined;
}

function noted(
  { letters, id }: RedriveRun,
  going: readonly Going[],
  status: "redriven" | "redriving",
): (readonly [StoredLetter, LetterNote])[] {
  const atMs = letters.env.clock.now();
  const note: LetterNote = { status, atMs, sinceMs: status === "redriving" ? atMs : undefined, run: id };
  return going.map(({ stored }) => [stored, note]);
}

function done(run: RedriveRun, open: Set<Going>, going: readonly Going[]): void {
  run.counts.redriven += going.length;
  for (const each of going) {
    open.delete(each);
    each.end();
  }
}

function fail(run: RedriveRun, open: Set<Going>, going: readonly Going[], error: EventError): void {
  for (const each of going) {
    open.delete(each);
    each.end(error);
    run.fail(each.stored.letter.id, error);
  }
}

/** What is left would overtake what was not stored. */
function hold({ counts }: RedriveRun, open: Set<Going>): void {
  counts.held += open.size;
  for (const each of open) each.end();
  open.clear();
}
