import type { Clock, Timer } from "../clock.ts";
import type { IdempotencyStore } from "./idempotency.ts";

/** A claim whose work goes on. */
export interface Renewal {
  readonly key: string;
  readonly token: string;
  /** When it was claimed or renewed. */
  sinceMs: number;
}

/** Renews claims whose work takes long: one timer for all of them, and none for work that is done soon. */
export interface Renewals {
  start(key: string, token: string): Renewal;
  end(renewal: Renewal): void;
  /** From now on no timer is kept for work to come; work that goes on keeps its claim. */
  stop(): void;
}

/**
 * Makes the renewals of a subscription: what runs on is renewed before half of its lease is over, and again every sixth
 * until the store has said so, so that one answer that is lost costs no claim.
 */
export function createRenewals(clock: Clock, store: IdempotencyStore, leaseMs: number): Renewals {
  const running = new Set<Renewal>();
  const roundMs = leaseMs / 6;
  let timer: Timer | undefined;
  let stopped = false;

  function round(): void {
    timer = undefined;
    const now = clock.now();
    for (const renewal of running) if (now - renewal.sinceMs >= 2 * roundMs) void renew(renewal, now);
    watch();
  }

  async function renew(renewal: Renewal, askedMs: number): Promise<void> {
    try {
      // A claim that was lost stays lost: `commit` will say so.
      if (await store.renew(renewal.key, renewal.token, { leaseMs })) renewal.sinceMs = askedMs;
      else end(renewal);
    } catch {
      // The next round asks again.
    }
  }

  function watch(): void {
    if (running.size > 0) timer ??= clock.after(roundMs, round);
  }

  function end(renewal: Renewal): void {
    running.delete(renewal);
    if (stopped) rest();
  }

  function rest(): void {
    if (running.size > 0) return;
    timer?.cancel();
    timer = undefined;
  }

  return {
    start(key, token) {
      const renewal = { key, token, sinceMs: clock.now() };
      running.add(renewal);
      if (!timer) watch();
      return renewal;
    },
    end,
    stop() {
      stopped = true;
      rest();
    },
  };
}
