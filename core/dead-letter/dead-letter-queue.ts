import { environmentOf } from "../environment-of.ts";
import { EventError } from "../errors.ts";
import { checkDestination } from "../routing.ts";
import type { LetterFilter } from "./letter-filter.ts";
import { letterTest } from "./letter-filter.ts";
import { openNotes } from "./letter-notes.ts";
import type { Letter, LetterNote, LetterStatus, StoredLetter } from "./letter-view.ts";
import { Letters } from "./letters.ts";
import { type RedriveOptions, type RedriveReport, redrive } from "./redrive.ts";

/** The bus that a dead-letter queue works with; every `EventBus` fits. */
export interface DeadLetterBus {
  /** Known by what every bus can do; the rest is found inside. */
  readonly publish: unknown;
}

/** Options of {@link createDeadLetterQueue}. */
export interface DeadLetterQueueOptions {
  /** Its transports hold the letters and take the copies. */
  readonly bus: DeadLetterBus;
  /**
   * The destinations whose events failed, as they were subscribed to; with wildcards where the transport has them. The
   * name of their dead letters, such as `orders.dlq`, is understood as well.
   */
  readonly destination: string | readonly string[];
  /** Where the letters are, if subscriptions say so in `deadLetter.destination`. Default: what the transport provides. */
  readonly letters?: string;
  /** The transport that holds the letters. Default: the only one of the bus. */
  readonly transport?: string;
  /** Further destinations to which copies may go, beside those that failed and those of the catalog. */
  readonly targets?: readonly string[];
}

/** Options of a list. */
export interface ListOptions {
  /** Begins behind the letter with this `cursor`. A letter that is stored twice comes once in each list that has a copy. */
  readonly after?: string;
  /** Ends after so many. Default: all. */
  readonly limit?: number;
  /** Rejects with code `aborted`. */
  readonly signal?: AbortSignal;
}

/** Options of `park`, `discard` and `restore`. */
export interface NoteOptions {
  /** Kept with the letter. */
  readonly reason?: string;
  /** Stops with code `aborted`. What was noted stays so. */
  readonly signal?: AbortSignal;
}

/** What failed, to be looked at and mended. */
export interface DeadLetterQueue {
  /** Letters in the order in which they were set aside, each once, as they are stored now. Default: those that wait. */
  list(filter?: LetterFilter, options?: ListOptions): AsyncIterable<Letter>;
  /** One letter, whatever its status. */
  show(id: string, options?: { readonly signal?: AbortSignal }): Promise<Letter | undefined>;
  /**
   * Sends copies of letters to the group that failed, with their event's id, key, trace and creation context. A letter
   * is redriven once: two operators, two runs or a crash in between change nothing about that.
   *
   * - JetStream and memory: each letter is claimed, sent and noted. What a run died with is sent again with the same
   *   dedup id while the stream recognises it; later it is `uncertain` and left to you.
   *   Where `to` names a transport that recognises no repeats, it is `uncertain` as soon as that run is dead.
   * - Kafka: copies and notes are one transaction; a new run ends the one before with code `fenced`. A copy that can
   *   never be stored fails alone.
   *
   * Copies of parked keys go in the order of their first occurrence, up to the first letter that the filter or
   * `transform` leaves out, or that is not stored; those behind it are counted as `held`.
   */
  redrive(filter?: LetterFilter | string, options?: RedriveOptions): Promise<RedriveReport>;
  /** Sets letters that wait aside, so that no redrive takes them. Answers how many. */
  park(filter: LetterFilter | string, options?: NoteOptions): Promise<number>;
  /** Gives letters that wait or are parked up. They stay in the list of `status: "discarded"`. Answers how many. */
  discard(filter: LetterFilter | string, options?: NoteOptions): Promise<number>;
  /** Undoes `park` and `discard`. Answers how many wait again. */
  restore(filter: LetterFilter | string, options?: NoteOptions): Promise<number>;
}

/** Letters whose notes are asked for ahead of who lists. */
const ahead = 64;

/**
 * Opens the dead letters of destinations.
 *
 * The destinations of the letters are provided as a subscription would.
 *
 * @throws EventError `invalid-option` without a transport to choose, `unsupported` where the transport keeps no letters,
 * or nothing beside them; as `Transport.ensure` does.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { createDeadLetterQueue } from "waybill/dead-letter";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * const failed = await createDeadLetterQueue({ bus, destination: "orders" });
 * for await (const { id, event, error } of failed.list({ group: "billing" })) {
 *   console.log(id, event?.type, error.message);
 * }
 * const report = await failed.redrive({ errorType: "TimeoutError" }, { rate: 100 });
 * console.log(report.redriven);
 * ```
 */
export async function createDeadLetterQueue(options: DeadLetterQueueOptions): Promise<DeadLetterQueue> {
  const env = environmentOf(options.bus);
  const { router } = env;
  const [only, ...others] = new Set(router.routes.flatMap(({ to }) => to));
  const name = options.transport ?? only;
  if (name === undefined || (options.transport === undefined && others.length > 0)) {
    throw new EventError("invalid-option", "transport: the bus has several, say which one");
  }
  const transport = router.transport(name);
  if (!transport.ensure || !transport.read) {
    throw new EventError("unsupported", `transport "${name}" keeps no dead letters`);
  }
  const sources = [options.destination].flat().map((each) => each.replace(/\.dlq$/, ""));
  if (options.letters !== undefined) checkDestination(options.letters);
  const places = new Set<string>();
  for (const source of sources) {
    const provided = await transport.ensure({ role: "dead-letter", source, destination: options.letters });
    for (const each of provided.destinations) places.add(each);
  }
  const destinations = [...places];
  const notes = await openNotes(transport, destinations);
  const letters = new Letters(env, transport, destinations, notes, [...sources, ...(options.targets ?? [])]);

  async function* list(filter: LetterFilter = {}, { after, limit, signal }: ListOptions = {}): AsyncGenerator<Letter> {
    const test = letterTest(filter);
    let left = limit ?? Number.POSITIVE_INFINITY;
    await notes.refresh(signal);
    const noted = async (stored: StoredLetter): Promise<Letter> => {
      const { note } = await notes.get(stored);
      return { ...stored.letter, status: letters.status(note), note: note?.reason };
    };
    const waiting: Promise<Letter>[] = [];
    for await (const { stored, matches } of letters.read(filter, after, signal)) {
      if (left <= 0) return;
      if (!matches) continue;
      const asked = noted(stored);
      // Nobody waits for it any more once another one failed, or who lists has left.
      asked.catch(() => undefined);
      waiting.push(asked);
      if (waiting.length < Math.min(ahead, left)) continue;
      const letter = await waiting.shift()!;
      if (test(letter)) {
        yield letter;
        left--;
      }
    }
    for (const each of waiting) {
      const letter = await each;
      if (left > 0 && test(letter)) {
        yield letter;
        left--;
      }
    }
  }

  async function note(
    given: LetterFilter | string,
    from: readonly LetterStatus[],
    status: "parked" | "discarded" | undefined,
    { reason, signal }: NoteOptions = {},
  ): Promise<number> {
    const filter = { ...filterOf(given), status: from };
    let count = 0;
    await notes.refresh(signal);
    for await (const { stored, matches } of letters.read(filter, undefined, signal)) {
      letters.checkAborted(signal);
      if (!matches) continue;
      const before = await notes.get(stored);
      if (!from.includes(letters.status(before.note))) continue;
      const next: LetterNote | undefined = status && { status, atMs: env.clock.now(), reason };
      if (await notes.set(stored, next, before)) count++;
    }
    return count;
  }

  return {
    list,
    async show(id, { signal } = {}) {
      const all: LetterStatus[] = ["waiting", "redriving", "redriven", "parked", "discarded", "uncertain"];
      for await (const letter of list({ ids: [id], status: all }, { limit: 1, ...(signal && { signal }) }))
        return letter;
      return undefined;
    },
    redrive: async (filter = {}, given = {}) => redrive(letters, filterOf(filter), given),
    park: (filter, given) => note(filter, ["waiting"], "parked", given),
    discard: (filter, given) => note(filter, ["waiting", "parked", "uncertain"], "discarded", given),
    restore: (filter, given) => note(filter, ["parked", "discarded"], undefined, given),
  };
}

function filterOf(given: LetterFilter | string): LetterFilter {
  return typeof given === "string" ? { ids: [given] } : given;
}
