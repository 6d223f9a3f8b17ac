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
