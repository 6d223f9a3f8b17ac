import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { decodeText, parseJson } from "./json.ts";
import { attributeValue, decodeBinary } from "./read-binary.ts";
import { decodeEnvelope } from "./read-envelope.ts";
import { decodeStructured } from "./read-structured.ts";

/** What a copy may have beyond the limits of its event. */
const ownHeaders = 64;
const ownHeaderBytes = 16_384;

const cloudEventsType = /^\s*application\/cloudevents([^\s;]*)/i;

/**
 * Reads a message of any format that Waybill knows: by its content type, else by binary-mode headers, else by the
 * members of its JSON body.
 *
 * @throws EventError `malformed-message` or `too-large`, saying what is wrong and the bound.
 */
export function decodeMessage(message: IncomingMessage, binding: HeaderBinding, limits: Limits): CloudEvent {
  const { headers, body } = message;
  const entries = headers.entries();
  checkSize(body, entries, limits);
  const format = cloudEventsType.exec(headers.get("content-type") ?? "")?.[1]?.toLowerCase();
  if (format !== undefined) {
    checkFormat(format);
    const event = decodeStructured(membersOf(body, limits) ?? {});
    checkRepeated(event, message, binding);
    return event;
  }
  const binary = decodeBinary(message, entries, binding, limits);
  if (binary) return binary;
  const members = body?.length ? membersOf(body, limits) : undefined;
  // Go's SDK writes structured events to NATS without any header.
  if (typeof members?.specversion === "string") return decodeStructured(members);
  const event = members && decodeEnvelope(members);
  if (event) return event;
  throw new EventError("malformed-message", "the message is neither a CloudEvent nor an envelope");
}

/** `+json` is the format read here; NATS calls it `application/cloudevents` alone. */
function checkFormat(format: string): void {
  if (format.startsWith("-batch")) {
    throw new EventError("malformed-message", "batches of CloudEvents are not taken here: send each as a message");
  }
  if (format !== "" && format !== "+json") {
    throw new EventError("malformed-message", `application/cloudevents${format.slice(0, 64)} is no format read here`);
  }
}

/** The members of a JSON object; undefined for other JSON. */
function membersOf(body: Uint8Array | null, limits: Limits): Record<string, unknown> | undefined {
  const value = parseJson(decodeText(body ?? new Uint8Array()), limits, "document");
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

/**
 * A structured message may repeat attributes in its headers. Ones that name another event are a trap for whoever looks
 * at the headers alone, or a binary-mode event whose data is an event: neither is taken for the event inside.
 */
function checkRepeated(event: CloudEvent, { headers }: IncomingMessage, binding: HeaderBinding): void {
  for (const name of ["id", "source", "type"] as const) {
    const header = binding.prefix + name;
    for (const value of headers.getAll(header)) {
      if (attributeValue(header, value, binding) === event[name]) continue;
      throw new EventError("malformed-message", `header ${header} and the body name different events`);
    }
  }
}

function checkSize(body: Uint8Array | null, entries: readonly string[], limits: Limits): void {
  const size = body?.length ?? 0;
  if (size > limits.maxEventBytes) {
    throw new EventError("too-large", `the event has ${size} bytes, ${limits.maxEventBytes} are allowed`);
  }
  const values = entries.length / 2;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) bytes += entries[i]!.length;
  if (values > limits.maxHeaders || bytes > limits.maxHeaderBytes) {
    // Copies carry what Waybill says of them: what could be published can be moved, set aside and redriven.
    const ofWaybill = entries.some((entry, i) => i % 2 === 0 && /^waybill-/i.test(entry));
    const fits = values <= limits.maxHeaders + ownHeaders && bytes <= limits.maxHeaderBytes + ownHeaderBytes;
    if (ofWaybill && fits) return;
    throw new EventError(
      "too-large",
      `the event has ${values} headers of ${bytes} characters, ${limits.maxHeaders} of ${limits.maxHeaderBytes} are allowed`,
    );
  }
}
