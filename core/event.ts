import { EventError, type EventErrorCode } from "./errors.ts";

/** A CloudEvents extension value. Codecs that write headers carry it as text. */
export type ExtensionValue = string | number | boolean;

/** Extension attributes by name, in a record without prototype. Names are of `a-z0-9`. */
export type Extensions = Readonly<Record<string, ExtensionValue>>;

/**
 * An event: an immutable plain value with the attributes of CloudEvents 1.0. `source` and `id`
 * together identify it, and no copy (retry, bridge, dead letter) changes them.
 */
export interface CloudEvent<Type extends string = string, Data = unknown> {
  /** Unique within `source`; a UUIDv7 unless given. */
  readonly id: string;
  /** URI reference of what the event comes from. */
  readonly source: string;
  /** What happened. Decides about route, schema and handlers. */
  readonly type: Type;
  /** RFC 3339, kept as text: another language's nanoseconds survive. */
  readonly time?: string;
  /** What the event is about, within `source`. */
  readonly subject?: string;
  /** Media type of `data`; JSON when absent. */
  readonly datacontenttype?: string;
  /** URI of the schema of `data`. */
  readonly dataschema?: string;
  /** undefined: the event has no data. */
  readonly data: Data;
  /** Further attributes, such as `partitionkey`; empty when there are none. */
  readonly extensions: Extensions;
}

/** The attributes that may be left out where an event is made. */
export interface EventAttributes {
  /** Default: a new UUIDv7. */
  readonly id?: string | undefined;
  /** Default: now. */
  readonly time?: string | undefined;
  /** What the event is about, within `source`. */
  readonly subject?: string | undefined;
  /** Media type of `data`. Default: JSON, or `application/octet-stream` for bytes. */
  readonly datacontenttype?: string | undefined;
  /** URI of the schema of `data`. Default when publishing: the catalog's. */
  readonly dataschema?: string | undefined;
  /** Further attributes. Names are of `a-z0-9`. */
  readonly extensions?: Readonly<Record<string, ExtensionValue>> | undefined;
}

/** The context attributes that are not extensions and may be left out, in the order of the specification. */
export const optionalAttributes = ["datacontenttype", "dataschema", "subject", "time"] as const;

// Control characters, lone surrogates and noncharacters: what a CloudEvents String must not hold (section 3.4).
const forbidden = /[\p{Cc}\p{Cs}\p{NChar}]/u;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
const ascii = /^[ -~]*$/;
const reservedNames = new Set<string>(["id", "source", "type", "specversion", "data", ...optionalAttributes]);

/** Whether text may be a CloudEvents String. Most is ASCII, which is found out sooner. */
const isClean = (text: string): boolean => ascii.test(text) || !forbidden.test(text);

/** Throws unless `value` is a non-empty CloudEvents String. */
export function checkText(name: string, value: unknown, code: EventErrorCode = "invalid-event"): void {
  if (typeof value !== "string" || value === "" || !isClean(value)) {
    throw new EventError(code, `${name} must be a non-empty string without control characters`);
  }
}

/** Throws unless the name and value may be an extension. */
export function checkExtension(name: string, value: unknown, code: EventErrorCode = "invalid-event"): void {
  if (!/^[a-z0-9]+$/.test(name) || reservedNames.has(name)) {
    throw new EventError(code, `extension "${name.slice(0, 64)}" must be a-z0-9, no attribute`);
  }
  const is32Bit = Number.isInteger(value) && value === ~~(value as number);
  if (typeof value === "string" ? !isClean(value) : !is32Bit && typeof value !== "boolean") {
    throw new EventError(
      code,
      `extension "${name}" must be a string without control characters, 32-bit integer or boolean`,
    );
  }
}

/** Throws unless every optional attribute that is there is what CloudEvents 1.0 asks for. */
export function checkOptional(given: EventAttributes, code: EventErrorCode = "invalid-event"): void {
  for (const name of optionalAttributes) if (given[name] !== undefined) checkText(name, given[name], code);
  if (given.time !== undefined && !rfc3339.test(given.time)) {
    throw new EventError(code, `time must be RFC 3339: ${given.time.slice(0, 64)}`);
  }
  for (const name in given.extensions) checkExtension(name, given.extensions[name], code);
}
