/**
 * Headers to write, flat: name, value, name, value. A name may stand several times; order is kept.
 * Flat because building one array costs a fifth of building a map per message.
 */
export type HeaderEntries = readonly (string | Uint8Array)[];

/** Read and write access to the headers of one message, whatever the transport keeps them in. */
export interface HeaderCarrier {
  /** The first value, or undefined. Names match without regard to case. */
  get(name: string): string | undefined;
  /** Every value of that name, in the order of the message. */
  getAll(name: string): readonly string[];
  /** Replaces all values of that name by one. */
  set(name: string, value: string): void;
  /** Every distinct name, as it was written. */
  keys(): string[];
  /** Every name and value in the order of the message, flat: name, value, name, value. */
  entries(): readonly string[];
  /** The same with the original bytes, for copies that must not change them. Undefined: text loses nothing. */
  readonly raw?: readonly (string | Uint8Array | null)[] | undefined;
}

/** An event encoded for one transport. */
export interface OutgoingMessage {
  /** Subject or topic, checked by the bus: no wildcard, no white space, no empty token. */
  readonly destination: string;
  /** All that is to travel beside the body, in the form that the transport's `binding` asks for. */
  readonly headers: HeaderEntries;
  /** JSON text as a string, other content as bytes; null when the event has no data (a tombstone on Kafka). */
  readonly body: string | Uint8Array | null;
  /** Events of one key stay in order where the transport can keep it. */
  readonly key?: string | undefined;
  /** Same id within the transport's window = the same message (transports with `deduplication`). */
  readonly dedupId?: string | undefined;
}

/** A message as a transport received it. */
export interface IncomingMessage {
  /** Subject or topic to which it was published, without wildcards. */
  readonly destination: string;
  /** All of them, those that carry attributes of the event included. */
  readonly headers: HeaderCarrier;
  /** null: a tombstone. */
  readonly body: Uint8Array | null;
  /** The ordering key where the system keeps one beside the headers. Undefined: see the event's `partitionkey`. */
  readonly key?: string | undefined;
  /** Where an answer goes; set only when it lies under a prefix to which replies are allowed. */
  readonly replyTo?: string | undefined;
  /** Where it was stored. Undefined where the system has none. */
  readonly partition?: number | undefined;
  /** Position in the partition, where the system counts by partitions. */
  readonly offset?: number | undefined;
  /** Where it stands, as `read` takes it to go on with this message. Set by `read`. */
  readonly position?: string | undefined;
  /** When the broker stored it, in unix milliseconds. */
  readonly timestampMs?: number | undefined;
}
