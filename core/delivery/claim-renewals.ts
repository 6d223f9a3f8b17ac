import type { Clock } from "../clock.ts";
import type { Linked } from "../linked-list.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import { createRunning } from "./running.ts";

/** A claim whose work goes on. */
export interface Renewal extends Linked<Renewal> {
  readonly key: string;
  readonly token: string;
  /** When it was claimed or renewed. */
  sinceMs: number;
}

/** Renews claims whose work takes long. */
export interface Renewals {
  start(key: string, token: string): Renewal;
  end(renewal: Renewal): void;
  /** The subscription closes: work that goes on keeps its claim. */
  stop(): void;
}

/**
 * Makes the renewals of a subscription: what runs on is renewed before half of its lease is over, and again every sixth
 * until the store has said so, so that one answer that is lost costs no claim.
 */
export function createRenewals(clock: Clock, store: IdempotencyStore, leaseMs: number): Renewals {
  const roundMs = leaseMs / 6;
  const running = createRunning<Renewal>({
    clock,
    waitMs: () => roundMs,
    look(renewals) {
      const now = clock.now();
      for (const renewal of renewals) if (now - renewal.sinceMs >= 2 * roundMs) void renew(renewal, now);
    },
  });

  async function renew(renewal: Renewal, askedMs: number): Promise<void> {
    try {
      // A claim that was lost stays lost: `commit` will say so.
      if (await store.renew(renewal.key, renewal.token, { leaseMs })) renewal.sinceMs = askedMs;
      else running.end(renewal);
    } catch {
      // The next round asks again.
    }
  }

  return {
    start(key, token) {
      const renewal: Renewal = { key, token, sinceMs: clock.now(), previous: undefined, next: undefined };
      running.start(renewal);
      return renewal;
    },
    end: running.end,
    stop: running.stop,
  };
}
