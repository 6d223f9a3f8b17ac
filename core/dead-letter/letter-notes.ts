import { type LogState, openLogState } from "../delivery/log-state.ts";
import { EventError } from "../errors.ts";
import type { OutgoingMessage } from "../message.ts";
import type { StateStore, Transport } from "../transport.ts";
import type { LetterNote, StoredLetter } from "./letter-view.ts";

/** A note with what tells it from a later one. */
export interface Noted {
  readonly note: LetterNote | undefined;
  readonly revision: number;
}

/** What is known of letters beside the letters themselves. */
export interface LetterNotes {
  /** Reads what others wrote; called before a list or a run. */
  refresh(signal?: AbortSignal): Promise<void>;
  get(stored: StoredLetter): Promise<Noted>;
  /** Writes unless someone else wrote since; undefined then. No note takes the one before away. */
  set(stored: StoredLetter, note: LetterNote | undefined, before: Noted): Promise<Noted | undefined>;
  /**
   * Opens a run that sends copies of the letters in one place and notes them in one, where their transport can do that:
   * it ends every run before it. Undefined: notes are written one by one, and each decides who sends.
   */
  transaction?(place: string): Promise<NotedSending>;
}

/** Sends copies and notes as one. */
export interface NotedSending {
  /** No note takes the one before away. */
  send(
    copies: readonly OutgoingMessage[],
    notes: readonly (readonly [StoredLetter, LetterNote | undefined])[],
    signal?: AbortSignal,
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the notes of the letters in these places.
 *
 * @throws EventError `unsupported` where the transport keeps no state.
 */
export async function openNotes(transport: Transport, places: readonly string[]): Promise<LetterNotes> {
  if (transport.openState) return notesInStore(await transport.openState("waybill-letters"));
  if (transport.openTransactions && transport.read && transport.ensure) {
    // Each place has its own, so that all who work on a letter look at the same, whatever else they work on.
    const states = new Map<string, LogState>();
    for (const place of places) states.set(place, await openLogState(transport, place));
    return notesInLogs(states, transport);
  }
  throw new EventError("unsupported", `transport "${transport.name}" keeps nothing beside its letters`);
}

function notesInStore(store: StateStore): LetterNotes {
  return {
    refresh: async () => undefined,
    async get({ letter: { id } }) {
      const entry = await store.get(id);
      return { note: entry && parse(entry.value), revision: entry?.revision ?? 0 };
    },
    async set({ letter: { id } }, note, { revision }) {
      if (!note) return revision === 0 || (await store.delete(id, revision)) ? { note, revision: 0 } : undefined;
      const written = await store.put(id, JSON.stringify(note), revision);
      return written === undefined ? undefined : { note, revision: written };
    },
  };
}

function notesInLogs(states: ReadonlyMap<string, LogState>, transport: Transport): LetterNotes {
  const keyOf = ({ letter: { id } }: StoredLetter): string => `letter.${id}`;
  return {
    async refresh(signal) {
      await Promise.all([...states.values()].map((state) => state.refresh(signal)));
    },
    async get(stored) {
      const value = states.get(stored.place)!.get(keyOf(stored));
      return { note: value === undefined ? undefined : parse(value), revision: 0 };
    },
    async set(stored, note) {
      await states.get(stored.place)!.put(keyOf(stored), note ? JSON.stringify(note) : null);
      return { note, revision: 0 };
    },
    async transaction(place) {
      const state = states.get(place)!;
      const open = await transport.openTransactions!(`waybill-redrive-${place}`);
      try {
        // What earlier runs had begun is decided by now.
        await state.refresh();
      } catch (reason) {
        await open.close().catch(() => undefined);
        throw reason;
      }
      return {
        async send(copies, notes, signal) {
          // Letters that go together have one note, of which one text is kept.
          const texts = new Map<LetterNote | undefined, string | null>([[undefined, null]]);
          for (const [, note] of notes) if (!texts.has(note)) texts.set(note, JSON.stringify(note));
          const written = notes.map(([stored, note]) => [keyOf(stored), texts.get(note)!] as const);
          await state.write(written, (messages) => open.publish([...copies, ...messages], { signal }));
        },
        close: () => open.close(),
      };
    },
  };
}

function parse(value: string): LetterNote | undefined {
  try {
    return JSON.parse(value) as LetterNote;
  } catch {
    return undefined; // written by nobody that this understands
  }
}
