import type { HeaderCarrier, IncomingMessage } from "../../core/message.ts";
import { headerCarrier } from "../nats/header-carrier.ts";
import type { NatsMessageLike } from "../nats/nats-like.ts";
import type { AckSubject } from "./ack-subject.ts";
import { destinationOf } from "./partitions.ts";

/** A stored message as the port wants it. What few look at is worked out when they do. */
export class JetStreamMessage implements IncomingMessage {
  readonly destination: string;
  readonly partition: number | undefined;
  readonly headers: HeaderCarrier;
  readonly body: Uint8Array;
  readonly #stored: AckSubject;

  constructor(message: NatsMessageLike, stored: AckSubject, partitioned: boolean) {
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
