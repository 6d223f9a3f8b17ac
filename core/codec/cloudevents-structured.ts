import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HeaderBinding } from "../transport.ts";
import { toBase64 } from "./base64.ts";
import { type Codec, isJson } from "./codec.ts";

/**
 * CloudEvents 1.0 structured mode: the whole event as one JSON document, `application/cloudevents+json`. For beacons
 * and for intermediaries that lose headers. Numbers and booleans of extensions keep their type; bytes travel as base64
 * and grow by a third.
 *
 * @example
 * ```ts
 * import { cloudEventsStructured, createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() }, codec: cloudEventsStructured() });
 * await bus.publish("order.placed", { orderId: "o-1" });
 * ```
 */
export function cloudEventsStructured(): Codec {
  return { name: "cloudevents-structured", encode };
}

const mediaType = "application/cloudevents+json";

function encode(event: CloudEvent, binding: HeaderBinding, headers: (string | Uint8Array)[]): string {
  const { contentType, prefix, percentEncoded } = binding;
  // Where the type of the data is a header of its own (NATS), Content-Type is free for that of the message. Kafka's
  // binding names the charset; elsewhere the bare type is what every reader knows.
  const name = contentType.startsWith(prefix) ? "Content-Type" : contentType;
  headers.push(name, percentEncoded ? mediaType : `${mediaType}; charset=UTF-8`);
  const { id, source, type, time, subject, dataschema, datacontenttype, extensions } = event;
  const attributes = { specversion: "1.0", id, source, type, time, subject, dataschema, datacontenttype };
  return `${JSON.stringify({ ...attributes, ...extensions }).slice(0, -1)}${dataMember(event)}}`;
}

function dataMember({ data, datacontenttype }: CloudEvent): string {
  if (data === undefined) return "";
  if (data instanceof Uint8Array) return `,"data_base64":"${toBase64(data)}"`;
  if (!isJson(datacontenttype) && typeof data !== "string") {
    throw new EventError("invalid-data", `data of type ${datacontenttype} must be a string or a Uint8Array`);
  }
  const json: string | undefined = JSON.stringify(data);
  if (json === undefined) throw new EventError("invalid-data", "data has no JSON: it is a function or a symbol");
  return `,"data":${json}`;
}
