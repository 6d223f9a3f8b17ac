import type { TraceState } from "@opentelemetry/api";

const maxMembers = 32;
// Level 2 of the specification: the rule for tenants of Level 1 (`tenant@vendor`) is gone.
const keyPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const valuePattern = /^[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/**
 * A `tracestate` after W3C Trace Context Level 2. OpenTelemetry's own keeps Level 1's grammar, which
 * drops keys that are legal now and passes lists that must be dropped.
 */
class W3CTraceState implements TraceState {
  readonly #members: ReadonlyMap<string, string>;

  constructor(members: ReadonlyMap<string, string>) {
    this.#members = members;
  }

  get(key: string): string | undefined {
    return this.#members.get(key);
  }

  set(key: string, value: string): TraceState {
    if (!keyPattern.test(key) || !valuePattern.test(value)) return this;
    const rest = [...this.#members].filter(([name]) => name !== key).slice(0, maxMembers - 1);
    return new W3CTraceState(new Map([[key, value], ...rest]));
  }

  unset(key: string): TraceState {
    return new W3CTraceState(new Map([...this.#members].filter(([name]) => name !== key)));
  }

  serialize(): string {
    return Array.from(this.#members, ([key, value]) => `${key}=${value}`).join(",");
  }
}

/**
 * Reads a `tracestate`, its headers joined by commas; undefined when it is empty or any of it is illegal. Of equal
 * keys the first counts, which is the newest: new members are added on the left.
 */
export function parseTraceState(text: string): TraceState | undefined {
  const members = new Map<string, string>();
  let count = 0;
  for (const part of text.split(",")) {
    const member = withoutSpace(part);
    if (member === "") continue;
    const at = member.indexOf("=");
    const key = member.slice(0, Math.max(at, 0));
    const value = member.slice(at + 1);
    if (!keyPattern.test(key) || !valuePattern.test(value) || ++count > maxMembers) return undefined;
    if (!members.has(key)) members.set(key, value);
  }
  return count > 0 ? new W3CTraceState(members) : undefined;
}

/** Without spaces and tabs at the ends. By hand: a regular expression tries each run of them from every start. */
function withoutSpace(text: string): string {
  const isSpace = (at: number): boolean => text[at] === " " || text[at] === "\t";
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(start)) start++;
  while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}
