import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import { sleep } from "../sleep.ts";
import type { Transport } from "../transport.ts";
import { type LetterFilter, letterTest } from "./letter-filter.ts";
import type { LetterNotes } from "./letter-notes.ts";
import { type LetterNote, type LetterStatus, type StoredLetter, toLetter } from "./letter-view.ts";

/** A letter, and whether the filter means it whatever its status. */
export interface Read {
  readonly stored: StoredLetter;
  readonly matches: boolean;
}

/** So long after its last sign of life a run counts as dead. */
export const claimMs = 15_000;
/** So long a broker certainly recognises a copy: below the 120 s that streams have unless told otherwise. */
const recognisedMs = 100_000;

/** The letters of a queue, with what is noted of them. */
export class Letters {
  readonly env: Environment;
  /** Where the letters are. */
  readonly transport: Transport;
  readonly notes: LetterNotes;
  /** Where copies may go. */
  readonly allowed: readonly string[];
  readonly #destinations: readonly string[];

  constructor(
    env: Environment,
    transport: Transport,
    destinations: readonly string[],
    notes: LetterNotes,
    allowed: readonly string[],
  ) {
    this.env = env;
    this.transport = transport;
    this.notes = notes;
    this.allowed = allowed;
    this.#destinations = destinations;
  }

  /** All letters that are stored now, each once, whatever was noted of them. */
  async *read(filter: LetterFilter, after?: string, signal?: AbortSignal): AsyncGenerator<Read> {
    const test = letterTest({ ...filter, status: "waiting" });
    const { binding } = this.transport.capabilities;
    // A letter may be stored twice: by who died before its source was settled, and by the next.
    const seen = new Set<string>();
    const [start, position] = after === undefined ? [0, undefined] : cursorOf(after);
    for (let place = start; place < this.#destinations.length; place++) {
      const destination = this.#destinations[place]!;
      const from = place === start ? position : undefined;
      for await (const message of this.transport.read!({ destination, from, signal })) {
        if (from !== undefined && message.position === from) continue;
        const cursor = `${place}:${message.position ?? ""}`;
        const stored = toLetter(message, destination, cursor, binding, this.env.limits);
        if (!stored || seen.has(stored.letter.id)) continue;
        seen.add(stored.letter.id);
        yield { stored, matches: test(stored.letter) };
      }
    }
  }

  async statusOf(stored: StoredLetter): Promise<LetterStatus> {
    return this.status((await this.notes.get(stored)).note);
  }

  status(note: LetterNote | undefined): LetterStatus {
    if (!note) return "waiting";
    if (note.status !== "redriving") return note.status;
    const sinceMs = this.env.clock.now() - (note.sinceMs ?? note.atMs);
    const recognised = note.target !== undefined && sinceMs <= recognisedMs;
    return this.isDead(note) && !recognised ? "uncertain" : "redriving";
  }

  /** Whether the run that has a letter gave no sign of life for long. */
  isDead(note: LetterNote): boolean {
    return this.env.clock.now() >= this.deadAtMs(note);
  }

  /** When the run that has a letter counts as dead, unless it gives a sign of life. */
  deadAtMs({ atMs }: LetterNote): number {
    return atMs + claimMs + 1;
  }

  async waitUntil(dueMs: number, signal: AbortSignal | undefined): Promise<void> {
    const waitMs = dueMs - this.env.clock.now();
    if (waitMs > 0) await sleep(this.env.clock, waitMs, signal);
    this.checkAborted(signal);
  }

  checkAborted(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw new EventError("aborted", "given up", { cause: signal.reason });
  }

  report(error: EventError): void {
    this.env.report(error, { transport: this.transport.name });
  }
}

function cursorOf(after: string): [number, string] {
  const at = after.indexOf(":");
  const place = Number(after.slice(0, at));
  if (at > 0 && Number.isInteger(place)) return [place, after.slice(at + 1)];
  throw new EventError("invalid-option", `after: no cursor of a letter: ${after.slice(0, 64)}`);
}
