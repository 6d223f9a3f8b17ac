import { EventError } from "../errors.ts";

// RFC 4648, section 4, with its padding and without bits left over: every content has one text.
const canonical = /^[A-Za-z0-9+/]*(?:[AQgw]==|[AEIMQUYcgkosw048]=)?$/;

/** Bytes of base64 text; throws `malformed-message` on other text. `atob` alone would pass over white space. */
export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !canonical.test(text)) {
    throw new EventError("malformed-message", "data_base64 is not base64");
  }
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
