import { EventError } from "../../core/errors.ts";
import type { HeaderEntries } from "../../core/message.ts";

interface KnownName {
  /** What stands before a value. */
  readonly prefix: string;
  /** The last value of that name that passed: most headers repeat theirs, and comparing is cheaper than testing. */
  safe: string;
}

// What would break out of a header line.
const UNSAFE = /[\r\n\0]/;

const known = /* @__PURE__ */ new Map<string, KnownName>();

/**
 * Builds the header block of a message, from `NATS/1.0` to the empty line; empty without headers.
 *
 * Throws `EventError` `invalid-header` for names other than printable ASCII without a colon, and for values with
 * CR, LF or NUL: either could add headers or commands of its own.
 */
export function headerBlock(entries: HeaderEntries): string {
  if (entries.length === 0) return "";
  let text = "NATS/1.0";
  for (let i = 0; i + 1 < entries.length; i += 2) {
    const name = entries[i] as string;
    const raw = entries[i + 1]!;
    const value = typeof raw === "string" ? raw : new TextDecoder().decode(raw);
    let line = known.get(name);
    if (!line) {
      check(name, /^[!-9;-~]+$/.test(name));
      line = { prefix: `\r\n${name}: `, safe: "" };
      // Names come from application code, but nothing stops it from making them up: what is remembered stays bounded.
      if (known.size > 999) known.clear();
      known.set(name, line);
    }
    if (value !== line.safe) {
      check(name, !UNSAFE.test(value));
      line.safe = value;
    }
    text += line.prefix + value;
  }
  return `${text}\r\n\r\n`;
}

function check(name: string, fine: boolean): void {
  if (fine) return;
  const text = `nats: header ${JSON.stringify(name).slice(0, 80)}: a name is ASCII, no value has CR, LF or NUL`;
  throw new EventError("invalid-header", text);
}
