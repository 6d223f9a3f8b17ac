import type { HeaderEntries } from "../../../core/message.ts";
import type { IncomingRecord } from "../driver.ts";
import { encode } from "../utf8.ts";
import type { VendorMessage } from "./vendor.ts";

// The binding turns a buffer without memory into null, and thereby an empty event into a tombstone.
const empty = encode("-").subarray(0, 0);

/** A value the binding writes as it is: zero bytes stay zero bytes. */
export function vendorValue(value: Uint8Array | null): Uint8Array | null {
  return value?.byteLength === 0 ? empty : value;
}

/** A key the binding writes as it is: it cuts strings at NUL. */
export function vendorKey(key: string | undefined): string | Uint8Array | null {
  if (key === undefined) return null;
  return key.includes("\0") ? encode(key) : key;
}

/** One object of one property per header: the binding ignores every further property. */
export function vendorHeaders(entries: HeaderEntries): object[] | undefined {
  if (entries.length === 0) return undefined;
  const headers = new Array<object>(entries.length >> 1);
  for (let at = 0; at < headers.length; at++) {
    // A computed name makes an own property even of `__proto__`.
    headers[at] = { [entries[at * 2] as string]: headerValue(entries[at * 2 + 1]!) };
  }
  return headers;
}

function headerValue(value: string | Uint8Array): string | Uint8Array {
  if (typeof value === "string") return value.includes("\0") ? encode(value) : value;
  // Zero bytes would be written as null, the empty string is written as empty.
  return value.byteLength === 0 ? "" : value;
}

/** What the binding read, as the driver's record. Headers are taken apart when they are asked for. */
export class ConfluentRecord implements IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly bytes: number;
  #raw: readonly object[] | undefined;
  #headers: IncomingRecord["headers"] | undefined;

  constructor(message: VendorMessage) {
    this.topic = message.topic;
    this.partition = message.partition;
    this.offset = message.offset;
    this.key = message.key;
    this.value = message.value;
    this.timestampMs = message.timestamp;
    this.#raw = message.headers;
    this.bytes = message.size + (message.key?.byteLength ?? 0) + (message.headers?.length ?? 0) * headerCost;
  }

  get headers(): IncomingRecord["headers"] {
    this.#headers ??= readHeaders(this.#raw ?? []);
    this.#raw = undefined;
    return this.#headers;
  }
}

// About what a header holds in memory; counting its bytes would mean taking all of them apart.
const headerCost = 128;

function readHeaders(headers: readonly object[]): (string | Uint8Array | null)[] {
  const entries = new Array<string | Uint8Array | null>(headers.length * 2);
  for (let at = 0; at < headers.length; at++) {
    const header = headers[at] as Record<string, Uint8Array | null>;
    let isNamed = false;
    // Its one property: `Object.keys` would make an array for each header, and looking it up outside of the loop costs more.
    for (const name in header) {
      if (!Object.hasOwn(header, name)) break;
      entries[at * 2] = name;
      entries[at * 2 + 1] = header[name] ?? null;
      isNamed = true;
      break;
    }
    if (isNamed) continue;
    // The binding assigns by name, so that a header `__proto__` became this object's prototype.
    entries[at * 2] = "__proto__";
    entries[at * 2 + 1] = Object.getPrototypeOf(header) as Uint8Array | null;
  }
  return entries;
}
