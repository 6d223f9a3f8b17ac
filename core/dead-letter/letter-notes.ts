import { type LogState, openLogState } from "../delivery/log-state.ts";
import { EventError } from "../errors.ts";
import type { OutgoingMessage } from "../message.ts";
import type { StateStore, Transport } from "../transport.ts";
import type { LetterNote } from "./letter-view.ts";

/** A note with what tells it from a later one. */
export interface Noted {
  readonly note: LetterNote | undefined;
  readonly revision: number;
}

/** What is known of letters beside the letters themselves. */
export interface LetterNotes {
  /** Reads what others wrote; called before a list or a run. */
  refresh(signal?: AbortSignal): Promise<void>;
  get(id: string): Promise<Noted>;
  /** Writes unless someone else wrote since; undefined then. No note takes the one before away. */
  set(id: string, note: LetterNote | undefined, before: Noted): Promise<Noted | undefined>;
  /**
   * Opens a run that sends copies and notes them in one, where the letters' transport can do that: it ends every run
   * before it. Undefined: notes are written one by one, and each decides who sends.
   */
  transaction?(): Promise<NotedSending>;
}

/** Sends copies and notes as one. */
export interface NotedSending {
  send(
    copies: readonly OutgoingMessage[],
    notes: readonly (readonly [string, LetterNote])[],
    signal?: AbortSignal,
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the notes of the letters in a destination.
 *
 * @throws EventError `unsupported` where the transport keeps no state.
 */
export async function openNotes(transport: Transport, letters: string): Promise<LetterNotes> {
  if (transport.openState) return notesInStore(await transport.openState("waybill-letters"));
  if (transport.openTransactions && transport.read && transport.ensure) {
    return notesInLog(await openLogState(transport, letters), transport, letters);
  }
  throw new EventError("unsupported", `transport "${transport.name}" keeps nothing beside its letters`);
}

function notesInStore(store: StateStore): LetterNotes {
  return {
    refresh: async () => undefined,
    async get(id) {
      const entry = await store.get(id);
      return { note: entry && parse(entry.value), revision: entry?.revision ?? 0 };
    },
    async set(id, note, { revision }) {
      if (!note) return revision === 0 || (await store.delete(id, revision)) ? { note, revision: 0 } : undefined;
      const written = await store.put(id, JSON.stringify(note), revision);
      return written === undefined ? undefined : { note, revision: written };
    },
  };
}

function notesInLog(state: LogState, transport: Transport, letters: string): LetterNotes {
  const keyOf = (id: string): string => `letter.${id}`;
  return {
    refresh: (signal) => state.refresh(signal),
    async get(id) {
      const value = state.get(keyOf(id));
      return { note: value === undefined ? undefined : parse(value), revision: 0 };
    },
    async set(id, note) {
      await state.put(keyOf(id), note ? JSON.stringify(note) : null);
      return { note, revision: 0 };
    },
    async transaction() {
      const open = await transport.openTransactions!(`waybill-redrive-${letters}`);
      // What earlier runs had begun is decided by now.
      await state.refresh();
      return {
        async send(copies, notes, signal) {
          // Letters that go together have one note, of which one text is kept.
          const texts = new Map<LetterNote, string>();
          for (const [, note] of notes) if (!texts.has(note)) texts.set(note, JSON.stringify(note));
          const written = notes.map(([id, note]) => [keyOf(id), texts.get(note)!] as const);
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
