import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { isJson } from "./codec.ts";
import { contentTypePlace, meaningsIn, place, placeCount } from "./header-meanings.ts";
import { decodeText, parseJson } from "./json.ts";
import { checkVersion, finishEvent, newExtensions } from "./read-attributes.ts";

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

/** What most events say, found without a look at its parts. */
const usualType = "application/json";

/** Data of a body by its media type: JSON, text, or bytes. */
export function decodeData(body: Uint8Array | null, contentType: string | undefined, limits: Limits): unknown {
  if (body === null) return undefined;
  if (contentType === usualType || isJson(contentType))
    return body.length === 0 ? undefined : parseJson(decodeText(body), limits);
  return utf8Text.test(contentType as string) ? decodeText(body) : plainBytes(body);
}

/** A view without the methods of a client's own kind of bytes: Node's Buffer slices and serialises in ways of its own. */
function plainBytes(body: Uint8Array): Uint8Array {
  return body.constructor === Uint8Array ? body : new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

const nothing: readonly (string | undefined)[] = /* @__PURE__ */ new Array(placeCount).fill(undefined);

/** The event of a binary-mode message, or undefined when the message is not one. `entries` are its headers. */
export function decodeBinary(
  { headers, body }: IncomingMessage,
  entries: readonly string[],
  binding: HeaderBinding,
  limits: Limits,
): CloudEvent | undefined {
  const meanings = meaningsIn(binding);
  if (headers.get(meanings.marker) === undefined) return undefined;
  const values = nothing.slice();
  const extensions = newExtensions();
  for (let i = 0; i < entries.length; i += 2) {
    const header = entries[i]!;
    const meaning = meanings.of(header, i >> 1);
    if (meaning === undefined) continue;
    // Content-Type is a header of HTTP's own and not encoded.
    const value = meaning === contentTypePlace ? entries[i + 1]! : attributeValue(header, entries[i + 1]!, binding);
    if ((typeof meaning === "number" ? values[meaning] : extensions[meaning]) !== undefined) {
      throw new EventError("malformed-message", `header ${header} stands ${headers.getAll(header).length} times`);
    }
    if (typeof meaning === "number") values[meaning] = value;
    else extensions[meaning] = value;
  }
  checkVersion(values[place.specversion]);
  const mediaType = values[place.datacontenttype];
  const dataschema = values[place.dataschema];
  const subject = values[place.subject];
  const time = values[place.time];
  const contentType = values[contentTypePlace];
  const datacontenttype = mediaType ?? contentType;
  // Some writers put the media type into ce_datacontenttype as well, which the bindings forbid.
  if ((contentType ?? datacontenttype) !== datacontenttype) {
    throw new EventError("malformed-message", "two headers say different things about datacontenttype");
  }
  const event: Record<string, unknown> = {
    id: values[place.id],
    source: values[place.source],
    type: values[place.type],
  };
  // By their names: a loop over names would cost as much as the rest of it.
  if (datacontenttype !== undefined) event.datacontenttype = datacontenttype;
  if (dataschema !== undefined) event.dataschema = dataschema;
  if (subject !== undefined) event.subject = subject;
  if (time !== undefined) event.time = time;
  event.data = decodeData(body, datacontenttype, limits);
  return finishEvent(event, extensions);
}
