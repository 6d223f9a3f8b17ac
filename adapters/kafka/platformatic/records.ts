import type { IncomingRecord, OutgoingRecord } from "../driver.ts";
import { decodeAgain, encode } from "../utf8.ts";
import type { VendorBatch, VendorMessage, VendorRecord } from "./vendor.ts";

// Names recur with every record. A name that comes twice in one record needs a buffer of its own, see below.
const names = new Map<string, Uint8Array>();
const maxNames = 1_000;

function nameBytes(name: string): Uint8Array {
  let bytes = names.get(name);
  if (!bytes) {
    bytes = encode(name);
    if (names.size < maxNames) names.set(name, bytes);
  }
  return bytes;
}

/** The vendor appends `Buffer`s only. */
function buffer(bytes: Uint8Array): Uint8Array {
  if (globalThis.Buffer.isBuffer(bytes)) return bytes;
  return globalThis.Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A record as the client takes it. A header's name is an object, so that one may come twice, in their order. */
export function vendorMessage(record: OutgoingRecord, key: Uint8Array | undefined, partition: number): VendorMessage {
  const headers = new Map<Uint8Array, Uint8Array>();
  const entries = record.headers;
  for (let at = 0; at < entries.length; at += 2) {
    const value = entries[at + 1]!;
    const name = entries[at] as string;
    let bytes = nameBytes(name);
    if (headers.has(bytes)) bytes = encode(name);
    headers.set(bytes, typeof value === "string" ? encode(value) : buffer(value));
  }
  const value = record.value === null ? undefined : buffer(record.value);
  return { topic: record.topic, partition, key, value, headers };
}

// About what a record, and each of its headers, holds in memory beside its bytes.
const recordCost = 64;
const headerCost = 128;

const logAppendTime = 1 << 3;

/** What the client read, as the driver's record. Time and headers are worked out when they are asked for. */
export class PlatformaticRecord implements IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly bytes: number;
  readonly #batch: VendorBatch;
  readonly #record: VendorRecord;
  #headers: IncomingRecord["headers"] | undefined;

  constructor(topic: string, partition: number, offset: number, batch: VendorBatch, record: VendorRecord) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.key = record.key ?? null;
    this.value = record.value ?? null;
    this.#batch = batch;
    this.#record = record;
    this.bytes =
      recordCost + (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0) + record.headers.length * headerCost;
  }

  get timestampMs(): number {
    const { attributes, firstTimestamp, maxTimestamp } = this.#batch;
    return attributes & logAppendTime ? Number(maxTimestamp) : Number(firstTimestamp + this.#record.timestampDelta);
  }

  get headers(): IncomingRecord["headers"] {
    if (this.#headers) return this.#headers;
    const entries: (string | Uint8Array | null)[] = [];
    for (const [name, value] of this.#record.headers) entries.push(decodeAgain(name, entries.length), value ?? null);
    this.#headers = entries;
    return entries;
  }
}
