import { EventError } from "../errors.ts";
import {
  type CloudEvent,
  checkEvent,
  copyExtensions,
  type Extensions,
  type ExtensionValue,
  optionalAttributes,
} from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { type Codec, isJson } from "./codec.ts";
import { decodeText, parseJson } from "./json.ts";

/**
 * CloudEvents 1.0 binary mode: attributes in headers, data as the body. Follows the NATS and Kafka
 * protocol bindings; which of the two is the transport's {@link HeaderBinding}.
 *
 * @example
 * ```ts
 * import { cloudEventsBinary, createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() }, codec: cloudEventsBinary() });
 * await bus.publish("order.placed", { orderId: "o-1" });
 * ```
 */
export function cloudEventsBinary(): Codec {
  return { name: "cloudevents-binary", encode };
}

const plain = /^[!#$&-~]*$/; // printable ASCII without space, quote and percent
const outside = /[^!#$&-~]+/gu;

/** Percent-encoding of the HTTP and NATS bindings: space, quote, percent and everything beyond ASCII. */
function percentEncode(value: string): string {
  return plain.test(value) ? value : value.replace(outside, encodeURIComponent);
}

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

function encode(
  event: CloudEvent,
  binding: HeaderBinding,
  headers: (string | Uint8Array)[],
): string | Uint8Array | null {
  const { prefix } = binding;
  const push = (header: string, value: ExtensionValue): void => {
    headers.push(header, binding.percentEncoded ? percentEncode(String(value)) : String(value));
  };
  const put = (name: string, value: ExtensionValue): void => push(prefix + name, value);
  headers.push(`${prefix}specversion`, "1.0");
  put("type", event.type);
  put("source", event.source);
  put("id", event.id);
  if (event.time !== undefined) put("time", event.time);
  if (event.subject !== undefined) put("subject", event.subject);
  if (event.dataschema !== undefined) put("dataschema", event.dataschema);
  for (const name in event.extensions) put(name, event.extensions[name]!);
  const { data, datacontenttype } = event;
  if (data === undefined) {
    if (datacontenttype !== undefined) push(binding.contentType, datacontenttype);
    return null;
  }
  const bytes = data instanceof Uint8Array;
  push(binding.contentType, datacontenttype ?? (bytes ? "application/octet-stream" : "application/json"));
  if (bytes) return data;
  if (isJson(datacontenttype)) return JSON.stringify(data);
  if (typeof data === "string") return data;
  throw new EventError("invalid-data", `data of type ${datacontenttype} must be a string or a Uint8Array`);
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
  event["data"] = decodeData(body, event["datacontenttype"] as string | undefined, limits);
  event["extensions"] = Object.freeze(extensions) as Extensions;
  checkEvent(event as unknown as CloudEvent, "malformed-message");
  return Object.freeze(event) as unknown as CloudEvent;
}
