import { EventError } from "../errors.ts";
import { type CloudEvent, checkText, type ExtensionValue } from "../event.ts";
import { isJson } from "./codec.ts";
import { checkVersion, finishEvent, isAttribute, newExtensions } from "./read-attributes.ts";
import { fromBase64 } from "./read-base64.ts";

/** The event of a JSON document's members (CloudEvents JSON format 1.0); throws `malformed-message` when there is none. */
export function decodeStructured(members: Record<string, unknown>): CloudEvent {
  const { specversion, data, data_base64, ...rest } = members;
  checkVersion(specversion);
  const event: Record<string, unknown> = {};
  const extensions = newExtensions();
  for (const name in rest) {
    const value = rest[name];
    if (value === null) continue; // another way to leave an attribute out
    if (isAttribute(name)) event[name] = value;
    else extensions[name] = value as ExtensionValue;
  }
  const { datacontenttype } = event;
  if (datacontenttype !== undefined) checkText("datacontenttype", datacontenttype, "malformed-message");
  event.data = dataOf(data, data_base64 ?? undefined, datacontenttype as string | undefined);
  return finishEvent(event, extensions);
}

function dataOf(data: unknown, base64: unknown, datacontenttype: string | undefined): unknown {
  if (base64 !== undefined) {
    if (data !== undefined) throw malformed("data and data_base64 exclude each other");
    if (typeof base64 !== "string") throw malformed("data_base64 must be a string");
    return fromBase64(base64);
  }
  // JSON stands there as it is: a string is not parsed once more, and null is a value.
  if (isJson(datacontenttype)) return data;
  if (data !== undefined && data !== null && typeof data !== "string") {
    throw malformed(`data of type ${datacontenttype?.slice(0, 64)} must be a string`);
  }
  return data ?? undefined;
}

function malformed(message: string): EventError {
  return new EventError("malformed-message", message);
}
