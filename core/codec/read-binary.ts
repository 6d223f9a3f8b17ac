import { copyExtensions } from "../check-event.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { isJson } from "./codec.ts";
import { decodeText, parseJson } from "./json.ts";
import { checkVersion, finishEvent, isAttribute } from "./read-attributes.ts";

/**
 * The value of an attribute's header: where the binding encodes, one round of decoding, after undoing a quoted string
 * (HTTP binding, section 3.1.3.2).
 */
export function attributeValue(name: string, value: string, { percentEncoded }: HeaderBinding): string {
  if (!percentEncoded) return value;
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  if (!text.includes("%")) return text;
  try {
    // A lone percent sign is no escape and stays.
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch (cause) {
    throw new EventError("malformed-message", `header ${name} is not percent-encoded UTF-8`, { cause });
  }
}

/** Text that can be read as UTF-8; text of another charset is left as bytes. */
const utf8Text = /^text\/(?!.*;\s*charset\s*=(?!\s*"?(?:utf-?8|us-ascii)))/i;

/** Data of a body by its media type: JSON, text, or bytes. */
export function decodeData(body: Uint8Array | null, contentType: string | undefined, limits: Limits): unknown {
  if (body === null) return undefined;
  if (isJson(contentType)) return body.length === 0 ? undefined : parseJson(decodeText(body), limits);
  return utf8Text.test(contentType as string) ? decodeText(body) : plainBytes(body);
}

/** A view without the methods of a client's own kind of bytes: Node's Buffer slices and serialises in ways of its own. */
function plainBytes(body: Uint8Array): Uint8Array {
  return body.constructor === Uint8Array ? body : new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

/** The event of a binary-mode message, or undefined when the message is not one. */
export function decodeBinary(message: IncomingMessage, binding: HeaderBinding, limits: Limits): CloudEvent | undefined {
  const { headers, body } = message;
  const { prefix } = binding;
  if (headers.get(`${prefix}specversion`) === undefined) return undefined;
  const event: Record<string, unknown> = {};
  const extensions = copyExtensions();
  for (const key of headers.keys()) {
    const lower = key.toLowerCase();
    const isType = lower === binding.contentType;
    if (!isType && !lower.startsWith(prefix)) continue;
    const name = isType ? "datacontenttype" : lower.slice(prefix.length);
    const all = headers.getAll(key);
    if (all.length > 1) throw new EventError("malformed-message", `header ${key} stands ${all.length} times`);
    // Content-Type is a header of HTTP's own and not encoded.
    const value = lower.startsWith(prefix) ? attributeValue(key, all[0]!, binding) : all[0]!;
    if (name === "specversion") checkVersion(value);
    else if (!isAttribute(name)) extensions[name] = value;
    // Some writers put the media type into ce_datacontenttype as well, which the bindings forbid.
    else if ((event[name] ?? value) === value) event[name] = value;
    else throw new EventError("malformed-message", `two headers say different things about ${name}`);
  }
  event.data = decodeData(body, event.datacontenttype as string | undefined, limits);
  return finishEvent(event, extensions);
}
