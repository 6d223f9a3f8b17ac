import type { HeaderCarrier } from "../../core/message.ts";
import type { NatsHeadersLike } from "./nats-like.ts";
import { rawHeaders } from "./raw-headers.ts";

type Message = { readonly headers?: NatsHeadersLike | undefined };

/** {@link natsHeaders}, in a file of its own: bundlers place whole files, and a page that only publishes needs none. */
export function headerCarrier(message: Message): HeaderCarrier {
  return new Headers(message);
}

const NOTHING: readonly string[] = [];
const decoder = /* @__PURE__ */ new TextDecoder();
/** Names that passed, in lower case. They come from the network: what is remembered stays bounded. */
const known = /* @__PURE__ */ new Map<string, string>();

/** A message has ten headers or so: looking through them costs less than building a map. */
class Headers implements HeaderCarrier {
  #message: Message | undefined;
  /** Name, name in lower case and value of each line. */
  #lines: string[] = [];

  constructor(message: Message) {
    this.#message = message;
  }

  get(name: string): string | undefined {
    const lines = this.#load();
    const wanted = lower(name);
    for (let i = 1; i < lines.length; i += 3) if (lines[i] === wanted) return lines[i + 1];
    return undefined;
  }

  getAll(name: string): readonly string[] {
    const lines = this.#load();
    const wanted = lower(name);
    let found: string[] | undefined;
    for (let i = 1; i < lines.length; i += 3) {
      if (lines[i] !== wanted) continue;
      if (found) found.push(lines[i + 1]!);
      else found = [lines[i + 1]!];
    }
    return found ?? NOTHING;
  }

  set(name: string, value: string): void {
    const wanted = lower(name);
    const kept: string[] = [];
    const lines = this.#load();
    for (let i = 1; i < lines.length; i += 3) {
      if (lines[i] !== wanted) kept.push(lines[i - 1]!, lines[i]!, lines[i + 1]!);
    }
    kept.push(name, wanted, value);
    this.#lines = kept;
  }

  keys(): string[] {
    const lines = this.#load();
    const names: string[] = [];
    for (let i = 1; i < lines.length; i += 3) {
      let first = 1;
      while (lines[first] !== lines[i]) first += 3;
      if (first === i) names.push(lines[i - 1]!);
    }
    return names;
  }

  entries(): readonly string[] {
    const lines = this.#load();
    const entries: string[] = [];
    for (let i = 0; i < lines.length; i += 3) entries.push(lines[i]!, lines[i + 2]!);
    return entries;
  }

  #load(): readonly string[] {
    const message = this.#message;
    if (message) {
      this.#message = undefined;
      try {
        this.#lines = linesOf(message);
      } catch {
        // Nothing to read.
      }
    }
    return this.#lines;
  }
}

/** A name as it stands in the block, and in lower case. */
interface Name {
  /** With the colon behind it. */
  readonly text: string;
  readonly name: string;
  readonly lower: string;
}

/** The names of the message before, by line: the next one mostly has the same. */
const before: Name[] = [];
const maxRemembered = 32;

/** Throws for what is no header. */
function linesOf(message: Message): string[] {
  const raw = rawHeaders(message);
  if (raw) return parse(decoder.decode(raw));
  const lines: string[] = [];
  for (const [name, values] of message.headers ?? []) for (const value of values) lines.push(name, lower(name), value);
  return lines;
}

function parse(text: string): string[] {
  const lines: string[] = [];
  // Behind `NATS/1.0` and perhaps a status.
  let start = text.indexOf("\r\n") + 2;
  for (let n = 0, end = text.indexOf("\r\n", start); end > start; n++, end = text.indexOf("\r\n", start)) {
    let line = before[n];
    if (!line || !text.startsWith(line.text, start)) {
      const colon = text.indexOf(":", start);
      if (colon < 0 || colon > end) throw new Error("a line without a name");
      const name = text.slice(start, colon);
      line = { text: `${name}:`, name, lower: lower(name) };
      if (n < maxRemembered) before[n] = line;
    }
    lines.push(line.name, line.lower, text.slice(start + line.text.length, end).trim());
    start = end + 2;
  }
  return lines;
}

function lower(name: string): string {
  let found = known.get(name);
  if (found === undefined) {
    if (!/^[!-9;-~]+$/.test(name)) throw new Error("not a name");
    found = name.toLowerCase();
    if (known.size > 999) known.clear();
    known.set(name, found);
  }
  return found;
}
