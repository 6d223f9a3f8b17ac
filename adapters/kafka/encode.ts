const encoder = new TextEncoder();

/** The fastest way to UTF-8 where there is a `Buffer`: several times as fast as TextEncoder on short texts. */
export const encode: (text: string) => Uint8Array =
  typeof globalThis.Buffer === "function"
    ? (text) => globalThis.Buffer.from(text, "utf8")
    : (text) => encoder.encode(text);
