import { checkEvent, copyExtensions } from "../check-event.ts";
import { EventError } from "../errors.ts";
import { type CloudEvent, type Extensions, optionalAttributes } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { isJson } from "./codec.ts";
import { decodeText, parseJson } from "./json.ts";

/** One round of decoding, after undoing a quoted string (HTTP binding, section 3.1.3.2). */
function percentDecode(name: string, value: string): string {
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  if (!text.includes("%")) return text;
  try {
    // A lone percent sign is no escape and stays.
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch (cause) {
    throw new EventError("malformed-message", `header ${name} is not percent-encoded UTF-8`, { cause });
  }
}

/** Data of a body by its media type: JSON, text, or bytes. */
export function decodeData(body: Uint8Array | null, contentType: string | undefined, limits: Limits): unknown {
  if (body === null) return undefined;
  if (isJson(contentType)) return body.length === 0 ? undefined : parseJson(decodeText(body), limits);
  return /^text\//i.test(contentType as string) ? decodeText(body) : body;
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
    const value = binding.percentEncoded ? percentDecode(key, all[0]!) : all[0]!;
    if (name === "specversion") {
      if (!value.startsWith("1.")) throw new EventError("malformed-message", `CloudEvents ${value} is not supported`);
    } else if (name === "id" || name === "source" || name === "type" || optionalAttributes.includes(name as "time")) {
      event[name] = value;
    } else extensions[name] = value;
  }
  event.data = decodeData(body, event.datacontenttype as string | undefined, limits);
  event.extensions = Object.freeze(extensions) as Extensions;
  checkEvent(event as unknown as CloudEvent, "malformed-message");
  return Object.freeze(event) as unknown as CloudEvent;
}
