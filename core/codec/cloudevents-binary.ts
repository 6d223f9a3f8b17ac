import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";
import { type Codec, isJson } from "./codec.ts";

/**
 * CloudEvents 1.0 binary mode: attributes in headers, data as the body. Follows the NATS, Kafka and HTTP protocol
 * bindings; which of them is the transport's {@link HeaderBinding}.
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
  // The last type that was written as it is. Types repeat, and comparing is cheaper than testing.
  let plainType = "";

  function encode(event: CloudEvent, binding: HeaderBinding, headers: Headers): string | Uint8Array | null {
    const { type, source, time, subject, dataschema, extensions } = event;
    const { prefix, percentEncoded: encoded } = binding;
    const names = namesOf(prefix);
    headers.push(names.specversion, "1.0");
    if (!encoded || type === plainType) headers.push(names.type, type);
    else if (put(headers, encoded, names.type, type) === type) plainType = type;
    put(headers, encoded, names.source, source);
    put(headers, encoded, names.id, event.id);
    if (time !== undefined) headers.push(names.time, time); // checked: nothing in it needs encoding
    if (subject !== undefined) put(headers, encoded, names.subject, subject);
    if (dataschema !== undefined) put(headers, encoded, names.dataschema, dataschema);
    for (const name in extensions) put(headers, encoded, prefix + name, String(extensions[name]));
    return encodeData(event, binding, headers);
  }

  return { name: "cloudevents-binary", encode };
}

const plain = /^[!#$&-~]*$/; // printable ASCII without space, quote and percent
const outside = /[^!#$&-~]+/g;

const required = ["specversion", "type", "source", "id", "time", "subject", "dataschema"] as const;
type Names = Readonly<Record<(typeof required)[number], string>>;
/** Header names by prefix, made once: names joined for every event would have to be hashed again by every map. */
const namesByPrefix: Record<string, Names> = {};

function namesOf(prefix: string): Names {
  namesByPrefix[prefix] ??= Object.fromEntries(required.map((name) => [name, prefix + name])) as Names;
  return namesByPrefix[prefix];
}

type Headers = (string | Uint8Array)[];

/** The HTTP and NATS bindings percent-encode space, quote, percent and all beyond ASCII. Returns what it wrote. */
function put(headers: Headers, encoded: boolean, name: string, value: string): string {
  const written = !encoded || plain.test(value) ? value : value.replace(outside, encodeURIComponent);
  headers.push(name, written);
  return written;
}

function encodeData(
  { data, datacontenttype }: CloudEvent,
  { contentType, percentEncoded }: HeaderBinding,
  headers: Headers,
): string | Uint8Array | null {
  if (datacontenttype !== undefined) {
    // As an attribute (NATS) it is encoded like the others; a header of the message's own keeps its form.
    put(headers, percentEncoded && contentType !== "content-type", contentType, datacontenttype);
  } else if (data !== undefined) {
    headers.push(contentType, data instanceof Uint8Array ? "application/octet-stream" : "application/json");
  }
  if (data === undefined) return null;
  if (data instanceof Uint8Array) return data;
  if (isJson(datacontenttype)) return JSON.stringify(data);
  if (typeof data === "string") return data;
  throw new EventError("invalid-data", `data of type ${datacontenttype} must be a string or a Uint8Array`);
}
