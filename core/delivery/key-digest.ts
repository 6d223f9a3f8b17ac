import { EventError } from "../errors.ts";

/** The part of Web Crypto that is called; core knows no types of the DOM. */
interface WebCrypto {
  readonly subtle?: { digest(algorithm: "SHA-256", data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/**
 * A key of any characters as 43 letters, digits, `-` and `_`: SHA-256 in base64url. A cryptographic hash, because keys
 * have ids that senders choose: whoever finds two that collide has the other's event taken for a repeat.
 *
 * @throws EventError `unsupported` where there is no Web Crypto: in a page that did not come by https or from localhost.
 */
export async function keyDigest(key: string): Promise<string> {
  const { subtle } = crypto as WebCrypto;
  if (!subtle) throw new EventError("unsupported", "keys are hashed by crypto.subtle, which only secure contexts have");
  // As JSON, which escapes lone surrogates: as UTF-8 they would all be the same.
  const bytes = new Uint8Array(await subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(key))));
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (const shift of [18, 12, 6, 0]) text += alphabet[(bits >> shift) & 63];
  }
  return text.slice(0, 43);
}
