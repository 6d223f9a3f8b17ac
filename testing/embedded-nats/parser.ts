import { joined } from "./joined.ts";

/** What the parser tells: one call per line or payload, in the order of the bytes. */
export interface ParserEvents {
  /** A control line without its line end. Returns how many payload bytes follow it, or undefined for none. */
  line(text: string): number | undefined;
  /** The payload announced by the last line. A view on the input. */
  payload(bytes: Uint8Array): void;
  /** The input is not the protocol; nothing more is parsed. */
  broken(reason: string): void;
}

const CR = 13;
const LF = 10;
/** nats-server allows 4 KiB and CONNECT lines beyond it. */
const MAX_LINE_BYTES = 64 * 1_024;
const decoder = new TextDecoder();

/** Cuts a byte stream into lines and payloads, wherever the chunks are cut. */
export class ProtocolParser {
  readonly #events: ParserEvents;
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Bytes of the payload that is due, with its line end; 0 while a line is due. */
  #due = 0;
  #stopped = false;

  constructor(events: ParserEvents) {
    this.#events = events;
  }

  /** Takes no more input. */
  stop(): void {
    this.#stopped = true;
    this.#chunks = [];
  }

  /** Parses a chunk. Payloads are views on it: hand in memory that is not written again. */
  feed(chunk: Uint8Array): void {
    if (this.#stopped) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // A large payload arrives in many chunks: they are joined once, when all are there.
    if (this.#size < this.#due) return;
    const data = this.#chunks.length === 1 ? chunk : joined(this.#chunks);
    let at = 0;
    while (!this.#stopped) {
      const next = this.#due > 0 ? this.#payload(data, at) : this.#line(data, at);
      if (next === at) break;
      at = next;
    }
    if (this.#stopped) return;
    this.#chunks = at < data.length ? [data.subarray(at)] : [];
    this.#size = data.length - at;
  }

  #payload(data: Uint8Array, at: number): number {
    if (data.length - at < this.#due) return at;
    const end = at + this.#due - 2;
    if (data[end] !== CR || data[end + 1] !== LF) return this.#break("Unknown Protocol Operation", at);
    this.#due = 0;
    this.#events.payload(data.subarray(at, end));
    return end + 2;
  }

  #line(data: Uint8Array, at: number): number {
    const end = data.indexOf(LF, at);
    if (end < 0) {
      return data.length - at > MAX_LINE_BYTES ? this.#break("Maximum Control Line Exceeded", at) : at;
    }
    const bytes = this.#events.line(decoder.decode(data.subarray(at, data[end - 1] === CR ? end - 1 : end)));
    if (bytes !== undefined) this.#due = bytes + 2;
    return end + 1;
  }

  #break(reason: string, at: number): number {
    this.stop();
    this.#events.broken(reason);
    return at;
  }
}
