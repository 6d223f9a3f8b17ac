import type { HeaderCarrier, IncomingMessage } from "../../core/message.ts";
import type { IncomingRecord } from "./driver.ts";
import { KafkaHeaders } from "./headers.ts";
import { decode } from "./utf8.ts";

/** A record as the bus reads it. Key and headers are decoded when they are asked for. */
export class KafkaMessage implements IncomingMessage {
  readonly #record: IncomingRecord;
  #headers: KafkaHeaders | undefined;
  #key: string | undefined;

  constructor(record: IncomingRecord) {
    this.#record = record;
  }

  get destination(): string {
    return this.#record.topic;
  }

  get body(): Uint8Array | null {
    return this.#record.value;
  }

  get partition(): number {
    return this.#record.partition;
  }

  get offset(): number {
    return this.#record.offset;
  }

  get timestampMs(): number {
    return this.#record.timestampMs;
  }

  get position(): string {
    return `${this.partition}/${this.offset}`;
  }

  get headers(): HeaderCarrier {
    this.#headers ??= new KafkaHeaders(this.#record.headers);
    return this.#headers;
  }

  /** The record's key as UTF-8. Bytes that are none are replaced, so that a copy has another key. */
  get key(): string | undefined {
    const { key } = this.#record;
    if (key === null) return undefined;
    this.#key ??= decode(key);
    return this.#key;
  }
}
