import { MsgHdrsImpl } from "@nats-io/nats-core/internal";
import type { CloudEvent, Codec, HeaderBinding, HeaderCarrier, IncomingMessage, Limits } from "waybill";
import { httpBinding } from "waybill";
import { KafkaHeaders } from "../../../adapters/kafka/headers.ts";
import { pairHeaders } from "../../../adapters/memory/headers.ts";
import { createEncoder } from "../../../adapters/nats/encoder.ts";
import { headerCarrier } from "../../../adapters/nats/header-carrier.ts";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";

export type Pair = readonly [name: string, value: string];
export type Body = string | Uint8Array | null;

/** How messages travel on one transport: its rules for headers, and what carries them there. */
export interface Wire {
  readonly binding: HeaderBinding;
  /** What arrives when this was sent. */
  carry(headers: readonly Pair[], body: Body): IncomingMessage;
}

const utf8 = new TextEncoder();
const bytesOf = (body: Body): Uint8Array | null => (typeof body === "string" ? utf8.encode(body) : body);
const natsBinding = { prefix: "ce-", contentType: "ce-datacontenttype", percentEncoded: true };
const encodeForNats = createEncoder();

export const wires = {
  nats: {
    binding: natsBinding,
    carry(headers, body) {
      const { head, body: payload } = encodeForNats({ destination: "d", headers: headers.flat(), body });
      const carrier = headerCarrier({ headers: head ? MsgHdrsImpl.decode(head) : undefined });
      return { destination: "d", headers: carrier, body: payload! };
    },
  },
  kafka: {
    binding: { prefix: "ce_", contentType: "content-type", percentEncoded: false },
    carry(headers, body) {
      const entries = headers.flatMap(([name, value]) => [name, utf8.encode(value)]);
      return { destination: "d", headers: new KafkaHeaders(entries), body: bytesOf(body) };
    },
  },
  http: {
    binding: httpBinding,
    // What a server hands on: a request without a body has an empty one.
    carry: (headers, body) => ({
      destination: "d",
      headers: fetchHeaders(new Headers(headers.map(([name, value]): [string, string] => [name, value]))),
      body: bytesOf(body) ?? new Uint8Array(),
    }),
  },
  memory: {
    binding: natsBinding,
    carry: (headers, body) => ({ destination: "d", headers: pairHeaders(headers), body: bytesOf(body) }),
  },
} satisfies Record<string, Wire>;

/** Headers of fetch, which names in lower case and joins repetitions. */
function fetchHeaders(headers: Headers): HeaderCarrier {
  return {
    get: (name) => headers.get(name) ?? undefined,
    getAll: (name) => [headers.get(name) ?? []].flat(),
    set: (name, value) => headers.set(name, value),
    keys: () => [...headers.keys()],
    entries: () => [...headers].flat(),
  };
}

/** What a codec writes. */
export function encode(codec: Codec, event: CloudEvent, binding: HeaderBinding): { headers: Pair[]; body: Body } {
  const flat: (string | Uint8Array)[] = [];
  const body = codec.encode(event, binding, flat, undefined);
  const headers = flat.flatMap((name, i): Pair[] => (i % 2 === 0 ? [[String(name), String(flat[i + 1])]] : []));
  return { headers, body };
}

/** The event that arrives when these headers and this body were sent. */
export function decode(headers: readonly Pair[], body: Body, wire: Wire, limits: Partial<Limits> = {}): CloudEvent {
  return decodeMessage(wire.carry(headers, body), wire.binding, { ...defaultLimits, ...limits });
}

/** The event that arrives when this one was sent. */
export function roundTrip(codec: Codec, event: CloudEvent, wire: Wire): CloudEvent {
  const { headers, body } = encode(codec, event, wire.binding);
  return decode(headers, body, wire);
}

/** Headers by name, in lower case. */
export const record = (headers: readonly Pair[]): Record<string, string> =>
  Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
