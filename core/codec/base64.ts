/** Arguments that every engine takes in one call; a multiple of 3, so that no padding stands inside. */
const chunkBytes = 24_576;

/** Base64 of bytes, by what browsers, workers, Deno, Bun and Node share. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes) as unknown as number[];
    text += btoa(String.fromCharCode.apply(null, chunk));
  }
  return text;
}
