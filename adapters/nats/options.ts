import type { Clock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { NatsLike } from "./nats-like.ts";

/** How much may wait for a confirmation, and how long. */
export interface NatsBufferOptions {
  /** Messages. Default: 65,536. */
  readonly maxEvents?: number | undefined;
  /** Bytes, headers included. Default: 67,108,864 (64 MiB). */
  readonly maxBytes?: number | undefined;
  /** Milliseconds after which a message that no broker confirmed fails with `buffer-expired`. Default: 60,000. */
  readonly maxAgeMs?: number | undefined;
  /** Milliseconds without an answer to a PING after which the socket counts as dead and is replaced. Default: 5,000. */
  readonly stallMs?: number | undefined;
}

/** How much a subscription holds for a consumer that has no credit. Core NATS cannot slow a publisher down. */
export interface NatsHoldOptions {
  /** Messages. Default: 65,536. */
  readonly maxMessages?: number | undefined;
  /** Bytes of bodies. Default: 67,108,864 (64 MiB). */
  readonly maxBytes?: number | undefined;
}

/** Options of `natsTransport`. */
export interface NatsTransportOptions {
  /** An open connection. Whoever opened it owns it: closing the transport leaves it open. */
  readonly connection: NatsLike;
  /** The outage buffer. */
  readonly buffer?: NatsBufferOptions | undefined;
  /** What waits in front of a slow consumer, per subscription. */
  readonly hold?: NatsHoldOptions | undefined;
  /** Prefixes under which a message's reply subject is believed. Default: `["_INBOX."]`. */
  readonly replyPrefixes?: readonly string[] | undefined;
  /** Default: the host's clock. */
  readonly clock?: Clock | undefined;
  /** Default: `"nats"`. */
  readonly name?: string | undefined;
}

/** {@link NatsBufferOptions} with every default filled in. */
export type BufferLimits = { readonly [K in keyof NatsBufferOptions]-?: number };

/** {@link NatsHoldOptions} with every default filled in. */
export type HoldLimits = { readonly [K in keyof NatsHoldOptions]-?: number };

/**
 * Fills in the defaults of a group of bounds, which `group` names in errors.
 *
 * Throws `invalid-option`, naming the option, for anything but a whole number above 0.
 */
export function limits<K extends string>(
  group: string,
  given: { readonly [P in K]?: number | undefined } | undefined,
  defaults: Readonly<Record<K, number>>,
): Readonly<Record<K, number>> {
  const filled: Record<K, number> = { ...defaults };
  for (const name in defaults) {
    const value = given?.[name] ?? defaults[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new EventError("invalid-option", `${group}.${name} must be a whole number above 0`);
    }
    filled[name] = value;
  }
  return filled;
}
