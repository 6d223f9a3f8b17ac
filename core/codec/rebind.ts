import type { HeaderBinding } from "../transport.ts";
import { attributeValue } from "./read-binary.ts";

type Headers = (string | Uint8Array)[];

/**
 * Headers of a message as another binding writes them, so that a copy can leave by another kind of transport. Headers
 * that are no attributes stay as they are, and so do attributes that cannot be read: the copy tells no less than the
 * message did.
 */
export function rebind(headers: Headers, from: HeaderBinding, to: HeaderBinding): Headers {
  if (from.prefix === to.prefix && from.percentEncoded === to.percentEncoded) return headers;
  const written: Headers = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = String(headers[i]).toLowerCase();
    const value = headers[i + 1]!;
    const plain = typeof value === "string" && name.startsWith(from.prefix) ? read(name, value, from) : undefined;
    if (plain !== undefined) {
      written.push(to.prefix + name.slice(from.prefix.length), to.percentEncoded ? encode(plain) : plain);
    } else written.push(name === from.contentType ? to.contentType : headers[i]!, value);
  }
  return written;
}

function read(name: string, value: string, from: HeaderBinding): string | undefined {
  try {
    return attributeValue(name, value, from);
  } catch {
    return undefined;
  }
}

function encode(value: string): string {
  return value.replace(/[^!#$&-~]+/g, encodeURIComponent);
}
