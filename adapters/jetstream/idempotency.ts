import { type Clock, systemClock } from "../../core/clock.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";

/** Options of {@link jetstreamIdempotency}. */
export interface JetStreamIdempotencyOptions {
  /** A transport of `jetstreamTransport`; whoever opened it closes it. */
  readonly transport: Transport;
  /** Name of the bucket, which is made when it is not there. Default: `waybill-handled`. */
  readonly bucket?: string;
  /**
   * How long the bucket keeps an entry, in milliseconds: the longest that an event can be remembered, and the same for
   * everyone who opens it. Default: 604,800,000 (seven days).
   */
  readonly keepMs?: number;
  /** Default: the host's clock. The clocks of all members of a group must agree to a small part of a lease. */
  readonly clock?: Clock;
}

/**
 * Claims in a key-value bucket of JetStream, for consumers whose effects are not in a database of their own. Of two that
 * claim a key at once one gets it, wherever they run. The bucket is opened with the first claim. Keys are kept as their
 * SHA-256, so that they may hold any character.
 *
 * It stops concurrent repeats and repeats after the commit; a crash between the effect and the commit repeats it once.
 *
 * @throws EventError `unsupported` for a transport that keeps no state. From the store: `invalid-option` when it is
 * asked to remember an event for longer than the bucket does, and what `publish` of the transport rejects with.
 *
 * @example
 * ```ts
 * import { connect } from "@nats-io/transport-node";
 * import { jetstreamIdempotency, jetstreamTransport } from "waybill/jetstream";
 *
 * const transport = jetstreamTransport({ connection: await connect({ servers: "nats://127.0.0.1:4222" }) });
 * const store = jetstreamIdempotency({ transport });
 * const claim = await store.claim("order o-1", { leaseMs: 30_000 });
 * if (claim.state === "claimed") await store.commit("order o-1", claim.token, { keepMs: 86_400_000 });
 * ```
 */
export function jetstreamIdempotency(options: JetStreamIdempotencyOptions): IdempotencyStore {
  const { transport, bucket = "waybill-handled", keepMs: ttlMs = 604_800_000, clock = systemClock } = options;
  if (!transport.openState) throw new EventError("unsupported", `transport "${transport.name}" keeps no state`);
  if (!(ttlMs > 0)) throw new EventError("invalid-option", `jetstream: keepMs must be above 0, not ${ttlMs}`);
  let opening: Promise<IdempotencyStore> | undefined;

  /** Opens the bucket once; a failure is forgotten, so that the next call tries again. */
  function open(): Promise<IdempotencyStore> {
    opening ??= openOnce().catch((reason: unknown) => {
      opening = undefined;
      throw EventError.from(reason, "transport-failed", true);
    });
    return opening;
  }

  async function openOnce(): Promise<IdempotencyStore> {
    const [{ stateIdempotency }, store] = await Promise.all([
      import("../../core/delivery/state-idempotency.ts"),
      transport.openState!(bucket, { ttlMs }),
    ]);
    return stateIdempotency({ store, clock });
  }

  return {
    claim: async (key, given) => (await open()).claim(key, given),
    renew: async (key, token, given) => (await open()).renew(key, token, given),
    release: async (key, token) => (await open()).release(key, token),
    async commit(key, token, given) {
      if (given.keepMs > ttlMs) {
        const text = `the bucket ${bucket} keeps entries for ${ttlMs} ms, wanted are ${given.keepMs}`;
        throw new EventError("invalid-option", `jetstream: ${text}`);
      }
      return (await open()).commit(key, token, given);
    },
  };
}
