import type { HeaderBinding } from "../transport.ts";
import { attributeValue } from "./read-binary.ts";

type Headers = (string | Uint8Array)[];

/**
 * Headers of a message as another binding writes them, so that a copy can leave by another kind of transport. Headers
 * that are no attributes stay as they are.
 */
export function rebind(headers: Headers, from: HeaderBinding, to: HeaderBinding): Headers {
  if (from.prefix === to.prefix && from.percentEncoded === to.percentEncoded) return headers;
  const written: Headers = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = String(headers[i]).toLowerCase();
    const value = headers[i + 1]!;
    if (typeof value !== "string") written.push(headers[i]!, value);
    else if (name.startsWith(from.prefix)) {
      const plain = attributeValue(name, value, from);
      written.push(to.prefix + name.slice(from.prefix.length), to.percentEncoded ? encode(plain) : plain);
    } else written.push(name === from.contentType ? to.contentType : headers[i]!, value);
  }
  return written;
}

function encode(value: string): string {
  return value.replace(/[^!#$&-~]+/g, encodeURIComponent);
}
