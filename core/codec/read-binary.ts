import { copyExtensions } from "../check-event.ts";
import { EventError } from "../errors.ts";
import { type CloudEvent, optionalAttributes } from "../event.ts";
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

/** What headers' names say, by binding. Names come from the network: what is remembered stays bounded. */
const known = /* @__PURE__ */ new Map<HeaderBinding, Map<string, string | null | undefined>>();
const maxKnown = 500;

/** The attribute whose header this is, null for Content-Type itself; undefined for a header of another kind. */
function attributeOf(header: string, binding: HeaderBinding): string | null | undefined {
  let names = known.get(binding);
  if (!names || names.size > maxKnown) {
    if (known.size > maxKnown) known.clear();
    names = new Map();
    known.set(binding, names);
  }
  const found = names.get(header);
  if (found !== undefined || names.has(header)) return found;
  const lower = header.toLowerCase();
  let name: string | null | undefined;
  if (lower.startsWith(binding.prefix)) name = lower.slice(binding.prefix.length);
  else if (lower === binding.contentType) name = null;
  names.set(header, name);
  return name;
}

/** The event of a binary-mode message, or undefined when the message is not one. `entries` are its headers. */
export function decodeBinary(
  { headers, body }: IncomingMessage,
  entries: readonly string[],
  binding: HeaderBinding,
  limits: Limits,
): CloudEvent | undefined {
  if (headers.get(`${binding.prefix}specversion`) === undefined) return undefined;
  const attributes: Record<string, string | undefined> = {
    specversion: undefined,
    id: undefined,
    source: undefined,
    type: undefined,
    time: undefined,
    subject: undefined,
    datacontenttype: undefined,
    dataschema: undefined,
  };
  const extensions = copyExtensions();
  let contentType: string | undefined;
  for (let i = 0; i < entries.length; i += 2) {
    const header = entries[i]!;
    const name = attributeOf(header, binding);
    if (name === undefined) continue;
    const into = name === "specversion" || (name !== null && isAttribute(name)) ? attributes : extensions;
    if ((name === null ? contentType : into[name]) !== undefined) {
      throw new EventError("malformed-message", `header ${header} stands ${headers.getAll(header).length} times`);
    }
    // Content-Type is a header of HTTP's own and not encoded.
    if (name === null) contentType = entries[i + 1]!;
    else into[name] = attributeValue(header, entries[i + 1]!, binding);
  }
  const { specversion, id, source, type, datacontenttype = contentType } = attributes;
  checkVersion(specversion);
  // Some writers put the media type into ce_datacontenttype as well, which the bindings forbid.
  if ((contentType ?? datacontenttype) !== datacontenttype) {
    throw new EventError("malformed-message", "two headers say different things about datacontenttype");
  }
  attributes.datacontenttype = datacontenttype;
  const event: Record<string, unknown> = { id, source, type };
  for (const name of optionalAttributes) if (attributes[name] !== undefined) event[name] = attributes[name];
  event.data = decodeData(body, datacontenttype, limits);
  return finishEvent(event, extensions);
}
