import type { HeaderCarrier } from "../../core/message.ts";
import { decodeAgain } from "./utf8.ts";

/** Header entries as a record holds them: name, value, name, value. */
export type RawHeaders = readonly (string | Uint8Array | null)[];

const NOTHING: readonly string[] = [];

/**
 * The headers of one record, decoded as UTF-8 when the first is read. Names match without regard to case, as the port
 * asks, though Kafka itself tells them apart. No name is special: entries are never turned into object properties.
 */
export class KafkaHeaders implements HeaderCarrier {
  #raw: RawHeaders;
  #texts: readonly string[] | undefined;

  constructor(raw: RawHeaders) {
    this.#raw = raw;
  }

  /** The entries with their original bytes, for copies that must not change them. */
  get raw(): RawHeaders {
    return this.#raw;
  }

  entries(): readonly string[] {
    this.#texts ??= textsOf(this.#raw);
    return this.#texts;
  }

  get(name: string): string | undefined {
    const texts = this.entries();
    const at = find(texts, name, 0);
    return at < 0 ? undefined : texts[at + 1];
  }

  getAll(name: string): readonly string[] {
    const texts = this.entries();
    let at = find(texts, name, 0);
    if (at < 0) return NOTHING;
    const found: string[] = [];
    for (; at >= 0; at = find(texts, name, at + 2)) found.push(texts[at + 1]!);
    return found;
  }

  set(name: string, value: string): void {
    const texts = this.entries();
    const kept: (string | Uint8Array | null)[] = [];
    let next = find(texts, name, 0);
    const first = next;
    for (let at = 0; at < texts.length; at += 2) {
      if (at !== next) kept.push(this.#raw[at]!, this.#raw[at + 1] ?? null);
      else next = find(texts, name, at + 2);
      if (at === first) kept.push(name, value);
    }
    if (first < 0) kept.push(name, value);
    this.#raw = kept;
    this.#texts = undefined;
  }

  keys(): string[] {
    return [...new Set(this.entries().filter((_, at) => at % 2 === 0))];
  }
}

function textsOf(raw: RawHeaders): readonly string[] {
  const texts = new Array<string>(raw.length);
  for (let place = 0; place < raw.length; place++) {
    const entry = raw[place]!;
    texts[place] = typeof entry === "string" ? entry : entry ? decodeAgain(entry, place) : "";
  }
  return texts;
}

/** Where the name stands next, or -1. */
function find(texts: readonly string[], name: string, from: number): number {
  let lower: string | undefined;
  for (let at = from; at < texts.length; at += 2) {
    const written = texts[at]!;
    if (written === name) return at;
    // Names of another length cannot match: lower-casing is left to the few that may.
    if (written.length !== name.length) continue;
    lower ??= name.toLowerCase();
    if (written.toLowerCase() === lower) return at;
  }
  return -1;
}
