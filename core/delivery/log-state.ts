import type { HeaderEntries, OutgoingMessage } from "../message.ts";
import type { ProvidedDestination, Transport } from "../transport.ts";

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
  #position: string | undefined;
  #reading: Promise<void> | undefined;

  constructor(transport: Transport, destination: string) {
    this.#transport = transport;
    this.#destination = destination;
  }

  /** Reads what was written since the last time. */
  refresh(signal?: AbortSignal): Promise<void> {
    this.#reading ??= this.#read(signal).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  get(key: string): string | undefined {
    return this.#entries.get(key);
  }

  /** What is known now. */
  entries(): IterableIterator<[string, string]> {
    return this.#entries.entries();
  }

  /** The message that writes an entry, or removes it; {@link wrote} once it is stored. */
  message(key: string, value: string | null): OutgoingMessage {
    return { destination: this.#destination, key, headers: noHeaders, body: value };
  }

  wrote(key: string, value: string | null): void {
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, value);
  }

  /** Resolves when it is stored. */
  async put(key: string, value: string | null): Promise<void> {
    const [outcome] = await this.#transport.publish([this.message(key, value)]);
    if (!outcome!.stored) throw outcome!.error;
    this.wrote(key, value);
  }

  async #read(signal: AbortSignal | undefined): Promise<void> {
    const from = this.#position;
    // What was written together is often alike: one text is kept of it.
    let last = "";
    for await (const { key, body, position } of this.#transport.read!({
      destination: this.#destination,
      from,
      signal,
    })) {
      // The last one read before comes first again.
      this.#position = position;
      if (key === undefined) continue;
      const value = body === null || body.length === 0 ? null : decoder.decode(body);
      if (value !== null && value !== last) last = value;
      this.wrote(key, value === null ? null : last);
    }
  }
}

/** Opens the state that belongs to a destination of dead letters. */
export async function openLogState(transport: Transport, letters: string): Promise<LogState> {
  const provided: ProvidedDestination = await transport.ensure!({ role: "state", source: letters });
  return new LogState(transport, provided.of(letters));
}
