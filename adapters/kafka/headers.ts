import type { HeaderCarrier } from "../../core/message.ts";
import { decode } from "./utf8.ts";

/** Header entries as a record holds them: name, value, name, value. */
export type RawHeaders = readonly (string | Uint8Array | null)[];

/**
 * The headers of one record. Values are decoded as UTF-8 when they are read; most never are. Names match without
 * regard to case, as the port asks, though Kafka itself tells them apart. No name is special: entries are never
 * turned into object properties.
 */
export class KafkaHeaders implements HeaderCarrier {
  #entries: RawHeaders;
  /** What was decoded already, where its bytes stand: names and values are read several times each. */
  #texts: (string | undefined)[] = [];
  #keys: string[] | undefined;

  constructor(entries: RawHeaders) {
    this.#entries = entries;
  }

  /** The entries with their original bytes, for copies that must not change them. */
  get raw(): RawHeaders {
    return this.#entries;
  }

  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.#text(at + 1);
  }

  getAll(name: string): readonly string[] {
    const found: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 2)) found.push(this.#text(at + 1));
    return found;
  }

  set(name: string, value: string): void {
    const kept: (string | Uint8Array | null)[] = [];
    let placed = false;
    for (let at = 0; at < this.#entries.length; at += 2) {
      const same = matches(this.#entries[at], name, name.toLowerCase());
      if (!same) kept.push(this.#entries[at]!, this.#entries[at + 1] ?? null);
      else if (!placed) kept.push(name, value);
      placed ||= same;
    }
    if (!placed) kept.push(name, value);
    this.#entries = kept;
    this.#texts = [];
    this.#keys = undefined;
  }

  keys(): string[] {
    if (!this.#keys) {
      const names: string[] = [];
      for (let at = 0; at < this.#entries.length; at += 2) names.push(this.#text(at));
      // A set costs more than all the rest where there are few, and is needed where there are many.
      const distinct = names.length > 32 ? [...new Set(names)] : names.filter((name, n) => names.indexOf(name) === n);
      this.#keys = distinct;
    }
    return [...this.#keys];
  }

  #text(at: number): string {
    const entry = this.#entries[at];
    if (typeof entry === "string") return entry;
    if (!entry) return "";
    this.#texts[at] ??= decode(entry);
    return this.#texts[at];
  }

  #find(name: string, from: number): number {
    let lower: string | undefined;
    for (let at = from; at < this.#entries.length; at += 2) {
      const written = this.#entries[at];
      if (written === name) return at;
      // Names of another length cannot match: lower-casing is left to the few that may.
      if (typeof written !== "string" || written.length !== name.length) continue;
      lower ??= name.toLowerCase();
      if (written.toLowerCase() === lower) return at;
    }
    return -1;
  }
}

function matches(written: string | Uint8Array | null | undefined, name: string, lower: string): boolean {
  return written === name || (typeof written === "string" && written.toLowerCase() === lower);
}
