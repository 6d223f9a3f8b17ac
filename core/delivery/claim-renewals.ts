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
}

/** Makes the renewals of a subscription: a claim is renewed twice within its lease. */
export function createRenewals(clock: Clock, store: IdempotencyStore, leaseMs: number): Renewals {
  const running = new Set<Renewal>();
  const roundMs = leaseMs / 3;
  let timer: Timer | undefined;

  function round(): void {
    timer = undefined;
    const now = clock.now();
    for (const renewal of running) {
      // By the next round it would be late.
      if (now - renewal.sinceMs < roundMs) continue;
      renewal.sinceMs = now;
      // A claim that was lost stays lost: `commit` will say so.
      Promise.resolve(store.renew(renewal.key, renewal.token, { leaseMs })).then(
        (held) => held || running.delete(renewal),
        () => undefined,
      );
    }
    watch();
  }

  function watch(): void {
    if (running.size > 0) timer ??= clock.after(roundMs, round);
  }

  return {
    start(key, token) {
      const renewal = { key, token, sinceMs: clock.now() };
      running.add(renewal);
      if (!timer) watch();
      return renewal;
    },
    end: (renewal) => void running.delete(renewal),
  };
}
