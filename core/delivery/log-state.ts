import { abortable } from "../abortable.ts";
import { EventError } from "../errors.ts";
import type { HeaderEntries, OutgoingMessage } from "../message.ts";
import type { ProvidedDestination, Transport } from "../transport.ts";

/** A key and its value; null removes it. */
export type LogEntry = readonly [key: string, value: string | null];

const decoder = /* @__PURE__ */ new TextDecoder();
const noHeaders: HeaderEntries = [];

/**
 * State in a destination that keeps the last message of each key: for transports that have no store of their own. There
 * is no comparing before a write, so that each key has one writer at a time; who becomes that reads first.
 */
export class LogState {
  readonly #transport: Transport;
  readonly #destination: string;
  readonly #entries = new Map<string, string>();
  /** Everything up to `position` is in the entries; `turn` counts the readings that brought it there. */
  #place: { readonly position: string | undefined; readonly turn: number } = { position: undefined, turn: 0 };
  /** Under way, or over with {@link #next} about to begin. */
  #reading: Promise<void> | undefined;
  /** Begins behind the one under way; all who ask meanwhile share it. */
  #next: Promise<void> | undefined;
  /** Written here since the reading began that is under way. */
  #touched: Set<string> | undefined;

  constructor(transport: Transport, destination: string) {
    this.#transport = transport;
    this.#destination = destination;
  }

  /** Reads what was written until now. Rejects with `aborted` for who gives up, and for nobody else. */
  async refresh(signal?: AbortSignal): Promise<void> {
    // The end of a reading is fixed when it begins: one that is under way may not see what was written before this call.
    if (this.#reading) this.#next ??= this.#reading.then(this.#start, this.#start);
    const reading = this.#next ?? this.#start();
    try {
      await abortable(reading, signal, () => undefined);
    } catch (reason) {
      if (signal?.aborted) throw new EventError("aborted", "given up", { cause: signal.reason });
      throw reason;
    }
  }

  get(key: string): string | undefined {
    return this.#entries.get(key);
  }

  /** Resolves when it is stored. */
  put(key: string, value: string | null): Promise<void> {
    return this.write([[key, value]], async ([message]) => {
      const [outcome] = await this.#transport.publish([message!]);
      if (!outcome!.stored) throw outcome!.error;
    });
  }

  /** Writes entries by the messages that `store` is given; it resolves when they are stored. */
  async write(
    entries: readonly LogEntry[],
    store: (messages: readonly OutgoingMessage[]) => Promise<void>,
  ): Promise<void> {
    const before = this.#place;
    await store(entries.map(([key, body]) => ({ destination: this.#destination, key, headers: noHeaders, body })));
    // A reading that ended meanwhile may have seen what someone else wrote behind these: the next tells.
    if (before.turn < this.#place.turn) this.#place = before;
    for (const [key, value] of entries) {
      this.#touched?.add(key);
      this.#take(key, value);
    }
  }

  #start = (): Promise<void> => {
    this.#next = undefined;
    const reading = this.#read();
    this.#reading = reading;
    const done = (): void => {
      if (this.#reading === reading && !this.#next) this.#reading = undefined;
    };
    reading.then(done, done);
    return reading;
  };

  async #read(): Promise<void> {
    const { position: from, turn } = this.#place;
    const touched = new Set<string>();
    this.#touched = touched;
    let to = from;
    // Taken at the end: what stands in between is older than what is known.
    const found = new Map<string, string | null>();
    // What was written together is often alike: one text is kept of it.
    let last = "";
    // The last one read before comes first again.
    try {
      for await (const { key, body, position } of this.#transport.read!({ destination: this.#destination, from })) {
        to = position;
        if (key === undefined) continue;
        const value = body === null || body.length === 0 ? null : decoder.decode(body);
        if (value !== null && value !== last) last = value;
        found.set(key, value === null ? null : last);
      }
    } finally {
      this.#touched = undefined;
    }
    for (const [key, value] of found) if (!touched.has(key)) this.#take(key, value);
    // Which is the later, what was written here meanwhile or what was read, the next reading tells.
    if (touched.size === 0) this.#place = { position: to, turn: turn + 1 };
  }

  #take(key: string, value: string | null): void {
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, value);
  }
}

/** Opens the state that belongs to a destination of dead letters. */
export async function openLogState(transport: Transport, letters: string): Promise<LogState> {
  const provided: ProvidedDestination = await transport.ensure!({ role: "state", source: letters });
  return new LogState(transport, provided.of(letters));
}
