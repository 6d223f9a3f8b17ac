import { type Clock, systemClock } from "../clock.ts";
import { EventError } from "../errors.ts";
import type { StateStore } from "../transport.ts";
import { type ClaimRecord, createClaims } from "./claims.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import { keyDigest } from "./key-digest.ts";

/** Options of {@link stateIdempotency}. */
export interface StateIdempotencyOptions {
  /** Where the claims are kept. Nothing else may be in it. */
  readonly store: StateStore;
  /** Default: the host's clock. The clocks of all who claim must agree to a small part of a lease. */
  readonly clock?: Clock;
}

/**
 * Claims in any store of small values that compares before it writes. Keys are kept as their SHA-256.
 *
 * A write whose answer is lost rejects as the store does. A claim that was written all the same holds until its lease is
 * over; a commit may be called again.
 */
export function stateIdempotency({ store, clock = systemClock }: StateIdempotencyOptions): IdempotencyStore {
  return createClaims(async (key, step) => {
    const name = await keyDigest(key);
    for (;;) {
      const entry = await store.get(name);
      const { answer, write } = step(entry && read(entry.value));
      if (write === undefined) return answer;
      if (write !== null) {
        if ((await store.put(name, JSON.stringify(write), entry?.revision ?? 0)) !== undefined) return answer;
      } else if (!entry || (await store.delete(name, entry.revision))) return answer;
      // Another was faster, so that somebody got on: look again.
    }
  }, clock);
}

function read(value: string): ClaimRecord {
  try {
    const record = JSON.parse(value) as ClaimRecord;
    if (typeof record.token === "string" && typeof record.untilMs === "number") return record;
  } catch {
    // Told below.
  }
  throw new EventError("configuration-mismatch", "the store of claims has an entry that is no claim");
}
