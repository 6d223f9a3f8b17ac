import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";
import { type Codec, isJson } from "./codec.ts";

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

/** Header names by prefix, made once: names joined for every event would have to be hashed again by every map. */
const namesByPrefix: Record<string, Record<string, string>> = {};
const attributes = ["specversion", "type", "source", "id", "time", "subject", "dataschema"] as const;

function namesOf(prefix: string): Record<string, string> {
  namesByPrefix[prefix] ??= Object.fromEntries(attributes.map((name) => [name, prefix + name]));
  return namesByPrefix[prefix];
}

function encode(
  event: CloudEvent,
  { prefix, contentType, percentEncoded }: HeaderBinding,
  headers: (string | Uint8Array)[],
): string | Uint8Array | null {
  const names = namesOf(prefix);
  const { data, datacontenttype, extensions } = event;
  headers.push(names["specversion"]!, "1.0");
  for (let i = 1; i < attributes.length; i++) {
    const name = attributes[i] as "id";
    const value = event[name];
    if (value !== undefined) put(names[name]!, value);
  }
  for (const name in extensions) put(prefix + name, String(extensions[name]));
  const type = datacontenttype ?? (data instanceof Uint8Array ? "application/octet-stream" : "application/json");
  if (data !== undefined || datacontenttype !== undefined) put(contentType, type);
  if (data === undefined) return null;
  if (data instanceof Uint8Array) return data;
  if (isJson(datacontenttype)) return JSON.stringify(data);
  if (typeof data === "string") return data;
  throw new EventError("invalid-data", `data of type ${datacontenttype} must be a string or a Uint8Array`);

  function put(name: string, value: string): void {
    // The HTTP and NATS bindings percent-encode space, quote, percent and everything beyond ASCII.
    headers.push(name, !percentEncoded || plain.test(value) ? value : value.replace(outside, encodeURIComponent));
  }
}
