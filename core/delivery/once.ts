import type { Clock } from "../clock.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HandlerDelivery } from "../options.ts";
import { createRenewals } from "./claim-renewals.ts";
import type { IdempotencyOptions, IdempotencyStore, TransactionalInbox } from "./idempotency.ts";

/** The event cannot be handled now, which is nobody's failure: it comes again and burns no attempt. */
export class Postponed extends Error {
  readonly delayMs: number;
  readonly #own = true;

  constructor(why: string, delayMs: number) {
    super(why);
    this.delayMs = delayMs;
  }

  /** Handlers throw anything, proxies that throw when they are looked at among it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && #own in value;
  }
}

/** What {@link Once.run} did. */
export interface OnceOutcome {
  /** The event was handled before: the work was not run. */
  readonly repeated: boolean;
  /** The text that the work gave, now or then. */
  readonly result?: string | undefined;
}

/** Runs the work of an event once. */
export interface Once {
  /** Throws {@link Postponed} while another member runs it; else what the work throws, after giving its claim back. */
  run(
    event: CloudEvent,
    delivery: HandlerDelivery,
    work: (transaction: unknown) => Promise<string | undefined>,
  ): Promise<OnceOutcome>;
  /** The subscription closes: no timer is left behind what still runs. */
  stop(): void;
}

const defaultLeaseMs = 30_000;
const defaultKeepMs = 604_800_000;
/** A claim that is held may be given back any moment. */
const longestHeldMs = 5_000;

/**
 * Makes what runs an event's work once for a group.
 *
 * @throws EventError `invalid-option` for a store that is none, or a time below 1 ms.
 */
export function createOnce(
  { store, key, leaseMs = defaultLeaseMs, keepMs = defaultKeepMs }: IdempotencyOptions<never>,
  group: string | undefined,
  clock: Clock,
): Once {
  for (const [name, value] of Object.entries({ leaseMs, keepMs })) {
    if (value >= 1) continue;
    throw new EventError("invalid-option", `idempotency.${name} must be at least 1, not ${value}`);
  }
  const given = store as Partial<IdempotencyStore & TransactionalInbox<unknown>>;
  if (typeof given?.run !== "function" && typeof given?.claim !== "function") {
    throw new EventError("invalid-option", "idempotency.store: a store of claims or an inbox");
  }
  // A reader without a group shares its work with nobody, but its restart does.
  // Only the last part may be of any form, so that no two names are alike.
  const nameOf = (event: CloudEvent, delivery: HandlerDelivery): string =>
    `${group ?? ""}\n${delivery.destination}\n${key ? `key\n${key(event, delivery)}` : `id\n${event.source}\n${event.id}`}`;

  if (typeof given.run === "function") {
    const inbox = given as TransactionalInbox<unknown>;
    return {
      run: (event, delivery, work) => inbox.run(nameOf(event, delivery), work, { keepMs }),
      stop: () => undefined,
    };
  }
  const claims = given as IdempotencyStore;
  const renewals = createRenewals(clock, claims, leaseMs);
  const lease = { leaseMs };
  return {
    async run(event, delivery, work) {
      const name = nameOf(event, delivery);
      const claiming = claims.claim(name, lease);
      const claim = claiming instanceof Promise ? await claiming : claiming;
      if (claim.state === "done") return { repeated: true, result: claim.result };
      if (claim.state === "held") {
        throw new Postponed("another member handles this event", Math.min(longestHeldMs, claim.retryAfterMs));
      }
      const { token } = claim;
      const renewal = renewals.start(name, token);
      try {
        const result = await work(undefined);
        // Without a claim its new owner does the work again: nothing that could be undone here.
        const committing = claims.commit(name, token, { keepMs, result });
        if (committing instanceof Promise) await committing;
        return { repeated: false, result };
      } catch (reason) {
        // Its lease ends by itself.
        await Promise.resolve(claims.release(name, token)).catch(() => undefined);
        throw reason;
      } finally {
        renewals.end(renewal);
      }
    },
    stop: renewals.stop,
  };
}
