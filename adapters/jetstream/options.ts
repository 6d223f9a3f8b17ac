import type { Clock } from "../../core/clock.ts";
import type { NatsLike } from "../nats/nats-like.ts";
import type { NatsBufferOptions } from "../nats/options.ts";

/** A stream that the transport provides: created when it is absent, verified when it is there, never changed. */
export interface StreamSpec {
  /** Its name: no white space, dot, `*`, `>`, slash or backslash, at most 255 characters. */
  readonly name: string;
  /** The destinations it stores; `*` stands for one token, a final `>` for the rest. */
  readonly subjects: readonly string[];
  /** When a message goes: by the limits, once its group has it, or once every group has it. Default: `limits`. */
  readonly retention?: "limits" | "workqueue" | "interest" | undefined;
  /** Oldest message kept, in milliseconds. Default: no bound. */
  readonly maxAgeMs?: number | undefined;
  /** Size of the whole stream, in bytes; the oldest messages go first. Default: no bound. */
  readonly maxBytes?: number | undefined;
  /** Default: `file`. */
  readonly storage?: "file" | "memory" | undefined;
  /** Servers that hold a copy, 1 to 5. Default: 1. */
  readonly replicas?: number | undefined;
  /**
   * How long the server recognises a second copy, in milliseconds. Not below `buffer.maxAgeMs`, within which the
   * transport sends again. Default: 120,000.
   */
  readonly duplicateWindowMs?: number | undefined;
  /**
   * Keeps the order of each key: a destination becomes the subjects `p.0.<destination>`, `p.1.<destination>` and so
   * on, and a key always goes to the same one. Whoever publishes or consumes has to say the same number. Default: none.
   */
  readonly partitions?: number | undefined;
}

/** How much may wait for a confirmation, how long, and how much at once at the server. */
export interface JetStreamBufferOptions extends NatsBufferOptions {
  /** Messages written and not confirmed, at most. Default: 2,048. */
  readonly maxUnconfirmed?: number | undefined;
}

/** Options of `jetstreamTransport`. */
export interface JetStreamTransportOptions {
  /** An open connection. Whoever opened it owns it: closing the transport leaves it open. */
  readonly connection: NatsLike;
  /** Streams to provide before the first publish or consume. Default: none; every stream exists already. */
  readonly streams?: readonly StreamSpec[] | undefined;
  /** The outage buffer and the window of unconfirmed messages. */
  readonly buffer?: JetStreamBufferOptions | undefined;
  /**
   * How long after a member's last sign of life its deliveries go to another, in milliseconds. Members say every third
   * of it that they work on, so a handler may take longer. Default: 30,000.
   */
  readonly ackWaitMs?: number | undefined;
  /** Deliveries of a group that may be unfinished at once, over all its members. Default: 10,000. */
  readonly maxAckPending?: number | undefined;
  /** A pull without a sign of life from the server is renewed within three times this, in milliseconds. Default: 5,000. */
  readonly heartbeatMs?: number | undefined;
  /** Names the durable consumer of a group. Default: the group and a hash of its destinations. */
  readonly durableName?: ((group: string, destinations: readonly string[]) => string) | undefined;
  /** JetStream domain, for leaf nodes. Default: the server's own. */
  readonly domain?: string | undefined;
  /** First tokens of the reply subjects, where permissions ask for others. Default: `_INBOX`. */
  readonly inboxPrefix?: string | undefined;
  /** Prefixes under which a message's reply subject is believed. Default: `["_INBOX."]`. */
  readonly replyPrefixes?: readonly string[] | undefined;
  /** Default: the host's clock. */
  readonly clock?: Clock | undefined;
  /** Default: `"jetstream"`. */
  readonly name?: string | undefined;
}

/** {@link JetStreamBufferOptions} with every default filled in. */
export type PublishBounds = { readonly [K in keyof JetStreamBufferOptions]-?: number };
