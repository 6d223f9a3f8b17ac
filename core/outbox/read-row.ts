import { type Context, ROOT_CONTEXT, type TextMapGetter } from "@opentelemetry/api";
import { decodeStructured } from "../codec/read-structured.ts";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import { readBaggage, readTraceContext } from "../propagation/read.ts";
import type { FailedEvent, FailedRow } from "./store.ts";

type Headers = Readonly<Record<string, string>>;

const getter: TextMapGetter<Headers> = {
  get: (headers, name) => headers[name],
  keys: (headers) => Object.keys(headers),
};

/** The event of a row; throws `malformed-message` when there is none. */
export function readEvent(text: string): CloudEvent {
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    // Told below: the parser's message quotes the payload.
  }
  if (typeof members === "object" && members !== null) return decodeStructured(members as Record<string, unknown>);
  throw new EventError("malformed-message", "the row holds no event");
}

/** The event of a row, or undefined when there is none. */
export function eventOf(row: { readonly event: string }): CloudEvent | undefined {
  try {
    return readEvent(row.event);
  } catch {
    return undefined;
  }
}

/** The context of a row, in which its event is published. */
export function readContext({ propagator }: Environment, text: string | undefined): Context {
  if (text === undefined) return ROOT_CONTEXT;
  const headers = JSON.parse(text) as Headers;
  if (propagator) return propagator.extract(ROOT_CONTEXT, headers, getter);
  return readBaggage(readTraceContext(ROOT_CONTEXT, headers, getter), headers, getter);
}

/** What users see of a row that was given up. */
export function failedEvent(row: FailedRow): FailedEvent {
  const { id: rowId, attempts, error } = row;
  return { rowId, event: eventOf(row), attempts, error };
}
