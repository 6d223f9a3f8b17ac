import type { HeaderCarrier, IncomingMessage } from "../../core/message.ts";
import { headerCarrier } from "../nats/header-carrier.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import { destinationOf } from "./partitions.ts";

/** Where a message stands in its stream. */
export interface Standing {
  readonly sequence: number;
  /** When it was stored, in unix milliseconds. */
  readonly timestampMs: number;
}

/** A stored message as the port wants it. What few look at is worked out when they do. */
export class JetStreamMessage implements IncomingMessage {
  readonly destination: string;
  readonly partition: number | undefined;
  readonly headers: HeaderCarrier;
  readonly body: Uint8Array;
  readonly #stored: Standing;

  constructor(message: NatsMessageLike, stored: Standing, partitioned: boolean) {
    const { subject } = message;
    const { destination, partition } = partitioned
      ? destinationOf(subject)
      : { destination: subject, partition: undefined };
    this.destination = destination;
    this.partition = partition;
    this.headers = headerCarrier(message);
    this.body = message.data;
    this.#stored = stored;
  }

  /** JetStream has no keys: the event's `partitionkey` stands in its headers, percent-encoded. */
  get key(): string | undefined {
    const value = this.headers.get("ce-partitionkey");
    if (!value?.includes("%")) return value;
    try {
      return decodeURIComponent(value);
    } catch {
      return value;
    }
  }

  get timestampMs(): number {
    return this.#stored.timestampMs;
  }
}

/** One that `read` answers, which knows where to go on. */
export class StoredMessage extends JetStreamMessage {
  position: string;

  constructor(message: NatsMessageLike, stored: Standing, partitioned: boolean) {
    super(message, stored, partitioned);
    this.position = String(stored.sequence);
  }
}
