import { EventError } from "../../core/errors.ts";
import type { HeaderEntries, OutgoingMessage } from "../../core/message.ts";
import type { OutgoingRecord } from "./driver.ts";

const forbidden = /[\0\r\n]/;

/** A message made ready for the driver, or why it cannot be sent. */
export type Prepared =
  | { readonly record: OutgoingRecord; readonly bytes: number; readonly error?: undefined }
  | { readonly error: EventError };

/** Checks a message and encodes its body, before anything of it reaches the client. */
export function prepare(
  message: OutgoingMessage,
  encode: (text: string) => Uint8Array,
  maxMessageBytes: number,
): Prepared {
  const { destination, headers, body, key } = message;
  const wrong = checkHeaders(headers);
  if (wrong) return { error: new EventError("invalid-header", wrong) };
  const value = typeof body === "string" ? encode(body) : body;
  const bytes = (value?.byteLength ?? 0) + headerBytes(headers) + (key === undefined ? 0 : key.length * 3);
  if (bytes > maxMessageBytes) {
    const exact = exactBytes(value, headers, key, encode);
    if (exact > maxMessageBytes) return { error: tooLarge(destination, exact, maxMessageBytes) };
  }
  return { record: { topic: destination, key, value, headers }, bytes };
}

function tooLarge(destination: string, bytes: number, bound: number): EventError {
  return new EventError("too-large", `A message to "${destination}" has ${bytes} bytes; the bound is ${bound}`);
}

function checkHeaders(headers: HeaderEntries): string | undefined {
  if (headers.length % 2 !== 0) return "Headers: a name without a value";
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at];
    const value: unknown = headers[at + 1];
    if (typeof name !== "string" || name === "") return "A header name must be a string that is not empty";
    if (forbidden.test(name)) return `Header name ${JSON.stringify(name)}: no NUL, CR or LF`;
    // The client sends such a message without the header and throws nevertheless.
    if (typeof value === "string") {
      if (forbidden.test(value)) return `Header ${name}: no NUL, CR or LF in its value`;
    } else if (!(value instanceof Uint8Array)) return `Header ${name}: its value is neither a string nor bytes`;
  }
  return undefined;
}

// An upper bound without encoding: three bytes per UTF-16 unit. The exact size is computed only near the limit.
function headerBytes(headers: HeaderEntries): number {
  let bytes = 0;
  for (const each of headers) bytes += typeof each === "string" ? each.length * 3 : each.byteLength;
  return bytes;
}

function exactBytes(
  value: Uint8Array | null,
  headers: HeaderEntries,
  key: string | undefined,
  encode: (text: string) => Uint8Array,
): number {
  let bytes = (value?.byteLength ?? 0) + (key === undefined ? 0 : encode(key).byteLength);
  for (const each of headers) bytes += typeof each === "string" ? encode(each).byteLength : each.byteLength;
  return bytes;
}
