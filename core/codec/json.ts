import { EventError } from "../errors.ts";
import type { Limits } from "../limits.ts";

const strict = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Where there is Node's kind of bytes. Its own decoder is several times as fast on short texts.
const { Buffer: NodeBuffer } = globalThis as { readonly Buffer?: { isBuffer(bytes: Uint8Array): boolean } };

/** Text of UTF-8 bytes; throws `malformed-message` on others. */
export function decodeText(bytes: Uint8Array): string {
  if (NodeBuffer?.isBuffer(bytes)) {
    const text = bytes.toString();
    // It writes U+FFFD for what is no UTF-8.
    if (!text.includes("\ufffd")) return text;
  }
  try {
    return strict.decode(bytes);
  } catch (cause) {
    throw new EventError("malformed-message", "the body is not UTF-8", { cause });
  }
}

/** Whether brackets open more often than `most` times; strings are not looked at. A native search per bracket is cheap. */
function opensOften(text: string, most: number): boolean {
  let opened = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++opened > most) return true;
  }
  return false;
}

/** Nesting of JSON text, without parsing it. */
function depth(text: string): number {
  let deepest = 0;
  let level = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x22) {
      while (++i < text.length && text.charCodeAt(i) !== 0x22) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++level);
    else if (char === 0x7d || char === 0x5d) level--;
  }
  return deepest;
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new EventError("malformed-message", 'the JSON has a member named "__proto__"');
  return value;
}

/**
 * Parses JSON from outside: data, or a document whose members hold data one level deeper. A member named `__proto__` is refused, since it replaces the prototype of
 * whatever object the data is merged into later; so is nesting that would overflow a recursive reader.
 */
export function parseJson(text: string, limits: Limits, of: "data" | "document" = "data"): unknown {
  const deepest = limits.maxJsonDepth + (of === "document" ? 1 : 0);
  // Where few brackets open none nests deep: most texts need no closer look.
  if (opensOften(text, deepest) && depth(text) > deepest) {
    throw new EventError("malformed-message", `the JSON nests deeper than ${deepest} levels`);
  }
  // "\u005f" is another way to write an underscore.
  const suspicious = text.includes("__proto__") || text.includes("\\u005");
  try {
    // A byte order mark is no part of JSON, and a reader may pass over one (RFC 8259, section 8.1).
    const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    return suspicious ? JSON.parse(json, refuseProto) : JSON.parse(json);
  } catch (cause) {
    if (cause instanceof EventError) throw cause;
    // Not as the cause: the parser's message quotes the payload, which may be private.
    throw new EventError("malformed-message", "the body is not JSON");
  }
}
