import { EventError } from "../../core/errors.ts";
import type { HeaderEntries } from "../../core/message.ts";

/** The text of a header block. */
export interface HeaderBlock {
  /** From `NATS/1.0` to the empty line; empty without headers. */
  readonly text: string;
  /** Every character is one byte, so the length in bytes is the length of the text. */
  readonly ascii: boolean;
}

interface KnownName {
  readonly prefix: string;
  /** The last value of that name that passed: most headers repeat theirs, and comparing is cheaper than testing. */
  safe: string;
}

const HEAD = "NATS/1.0";
const NAME = /^[!-9;-~]+$/;
const NOT_PLAIN = /[^\x20-\x7e]/;
// What would break out of a header line.
const UNSAFE = /[\r\n\0]/;
const MAX_KNOWN = 1_024;

const known = new Map<string, KnownName>();
const NONE: HeaderBlock = { text: "", ascii: true };
const decoder = new TextDecoder();

/**
 * Builds the header block of a message as one string.
 *
 * Throws `EventError` `invalid-header` for names other than printable ASCII without a colon, and for values with
 * CR, LF or NUL: either could add headers or commands of its own.
 */
export function headerBlock(entries: HeaderEntries): HeaderBlock {
  if (entries.length === 0) return NONE;
  let text = HEAD;
  let ascii = true;
  for (let i = 0; i + 1 < entries.length; i += 2) {
    const name = knownName(entries[i] as string);
    const raw = entries[i + 1]!;
    const value = typeof raw === "string" ? raw : decoder.decode(raw);
    if (value !== name.safe) {
      if (NOT_PLAIN.test(value)) {
        if (UNSAFE.test(value)) throw refused(`the value of header ${String(entries[i])} has CR, LF or NUL`);
        ascii = false;
      } else {
        name.safe = value;
      }
    }
    text += name.prefix + value;
  }
  return { text: `${text}\r\n\r\n`, ascii };
}

function knownName(name: string): KnownName {
  const hit = known.get(name);
  if (hit !== undefined) return hit;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw refused(`a header name needs printable ASCII without a colon, got ${JSON.stringify(name).slice(0, 80)}`);
  }
  const made: KnownName = { prefix: `\r\n${name}: `, safe: "" };
  // Names come from application code, but nothing stops it from making them up: the cache stays bounded.
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(name, made);
  return made;
}

function refused(what: string): EventError {
  return new EventError("invalid-header", `nats: ${what}`);
}
