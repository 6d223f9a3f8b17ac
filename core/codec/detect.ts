import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";
import { decodeText, parseJson } from "./json.ts";
import { decodeBinary } from "./read-binary.ts";
import { decodeEnvelope } from "./read-envelope.ts";

/**
 * Reads a message of any format that Waybill knows: binary-mode headers first, then the JSON body.
 *
 * @throws EventError `malformed-message` or `too-large`, saying what is wrong and the bound.
 */
export function decodeMessage(message: IncomingMessage, binding: HeaderBinding, limits: Limits): CloudEvent {
  checkSize(message, limits);
  const binary = decodeBinary(message, binding, limits);
  if (binary) return binary;
  if (message.body?.length) {
    const members = parseJson(decodeText(message.body), limits);
    if (typeof members === "object" && members !== null) {
      const event = decodeEnvelope(members as Record<string, unknown>);
      if (event) return event;
    }
  }
  throw new EventError("malformed-message", "the message is neither a CloudEvent nor an envelope");
}

function checkSize({ headers, body }: IncomingMessage, limits: Limits): void {
  const size = body?.length ?? 0;
  if (size > limits.maxEventBytes) {
    throw new EventError("too-large", `the event has ${size} bytes, ${limits.maxEventBytes} are allowed`);
  }
  let values = 0;
  let bytes = 0;
  for (const name of headers.keys()) {
    for (const value of headers.getAll(name)) {
      values++;
      bytes += name.length + value.length;
    }
  }
  if (values > limits.maxHeaders || bytes > limits.maxHeaderBytes) {
    throw new EventError(
      "too-large",
      `the event has ${values} headers of ${bytes} characters, ${limits.maxHeaders} of ${limits.maxHeaderBytes} are allowed`,
    );
  }
}
