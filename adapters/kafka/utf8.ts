const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The fastest way to UTF-8 where there is a `Buffer`: several times as fast as TextEncoder on short texts. */
export const encode: (text: string) => Uint8Array =
  typeof globalThis.Buffer === "function"
    ? (text) => globalThis.Buffer.from(text, "utf8")
    : (text) => encoder.encode(text);

/** The fastest way back. Bytes that are no UTF-8 become U+FFFD. */
export const decode: (bytes: Uint8Array) => string =
  typeof globalThis.Buffer === "function"
    ? (bytes) => (globalThis.Buffer.isBuffer(bytes) ? bytes.toString("utf8") : decoder.decode(bytes))
    : (bytes) => decoder.decode(bytes);

/** What stood at each place of the record before, where each byte was a character: ASCII, or U+FFFD of no UTF-8. */
const before: (string | undefined)[] = [];
const maxPlaces = 64;

/**
 * Decodes what stands at the `place` of a record, names and values counted alike: what the record before had there
 * mostly comes again, and comparing costs a tenth of decoding.
 */
export function decodeAgain(bytes: Uint8Array, place: number): string {
  const last = before[place];
  if (last !== undefined && isText(bytes, last)) return last;
  const text = decode(bytes);
  if (place < maxPlaces) before[place] = text.length === bytes.length ? text : undefined;
  return text;
}

function isText(bytes: Uint8Array, text: string): boolean {
  if (bytes.length !== text.length) return false;
  // From their ends: ids, times and keys begin alike.
  for (let i = bytes.length; --i >= 0; ) if (bytes[i] !== text.charCodeAt(i)) return false;
  return true;
}
