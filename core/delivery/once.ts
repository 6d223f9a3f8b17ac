import type { Clock } from "../clock.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { HandlerDelivery } from "../options.ts";
import { createRenewals, type Renewal } from "./claim-renewals.ts";
import type { Awaitable, Claim, IdempotencyOptions, IdempotencyStore, TransactionalInbox } from "./idempotency.ts";

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

/** The claim on an event's work, while that is done. */
export type Claimed = Renewal;

/** What {@link Once.run} does, step by step, with a promise only where the store answers with one. */
export interface OnceSteps {
  /** A claim, or what came of the event before. Throws {@link Postponed} while another member runs it. */
  claim(event: CloudEvent, delivery: HandlerDelivery): Awaitable<Claimed | OnceOutcome>;
  /** The work is done. Where this throws it is not, and its claim is to be given back. */
  commit(claimed: Claimed, result: string | undefined): Awaitable<undefined>;
  /** The work has failed: gives its claim back. Never rejects. */
  release(claimed: Claimed): Promise<void>;
}

/** Runs the work of an event once. */
export interface Once {
  /**
   * `work` gives a value or a promise of it, and `conclude` what is kept of that, if anything: it is called before the
   * work counts as done, which it does not when either throws. Throws {@link Postponed} while another member runs it;
   * else what these throw, after giving its claim back.
   */
  run<T>(
    event: CloudEvent,
    delivery: HandlerDelivery,
    work: (transaction: unknown) => T | PromiseLike<T>,
    conclude: (given: T) => string | undefined,
  ): Promise<OnceOutcome>;
  /** Undefined where an inbox runs the work within its transaction. */
  readonly steps?: OnceSteps;
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
  const nameOf = createNames(group, key);

  if (typeof given.run === "function") {
    const inbox = given as TransactionalInbox<unknown>;
    return {
      run: (event, delivery, work, conclude) =>
        inbox.run(nameOf(event, delivery), async (transaction) => conclude(await work(transaction)), { keepMs }),
      stop: () => undefined,
    };
  }
  const steps = createSteps(given as IdempotencyStore, clock, nameOf, { leaseMs, keepMs });
  return {
    async run(event, delivery, work, conclude) {
      const claimed = await steps.claim(event, delivery);
      if (isOutcome(claimed)) return claimed;
      try {
        const result = conclude(await work(undefined));
        await steps.commit(claimed, result);
        return { repeated: false, result };
      } catch (reason) {
        await steps.release(claimed);
        throw reason;
      }
    },
    steps,
    stop: steps.stop,
  };
}

/** Whether the event was handled before. */
export function isOutcome(claimed: Claimed | OnceOutcome): claimed is OnceOutcome {
  return "repeated" in claimed;
}

function createSteps(
  store: IdempotencyStore,
  clock: Clock,
  nameOf: (event: CloudEvent, delivery: HandlerDelivery) => string,
  { leaseMs, keepMs }: { readonly leaseMs: number; readonly keepMs: number },
): OnceSteps & Pick<Once, "stop"> {
  const renewals = createRenewals(clock, store, leaseMs);
  const lease = { leaseMs };
  const keep = { keepMs };

  function take(name: string, claim: Claim): Claimed | OnceOutcome {
    if (claim.state === "done") return { repeated: true, result: claim.result };
    if (claim.state === "claimed") return renewals.start(name, claim.token);
    throw new Postponed("another member handles this event", Math.min(longestHeldMs, claim.retryAfterMs));
  }

  // Apart from what may be known at once, for which no closure is made then.
  const takeLater = (name: string, claim: Promise<Claim>): Promise<Claimed | OnceOutcome> =>
    claim.then((known) => take(name, known));
  const endLater = (claimed: Claimed, committed: Promise<unknown>): Promise<undefined> =>
    committed.then(() => void renewals.end(claimed));

  return {
    claim(event, delivery) {
      const name = nameOf(event, delivery);
      const claim = store.claim(name, lease);
      return claim instanceof Promise ? takeLater(name, claim) : take(name, claim);
    },
    commit(claimed, result) {
      // Without a claim its new owner does the work again: nothing that could be undone here.
      const committed = store.commit(claimed.key, claimed.token, result === undefined ? keep : { keepMs, result });
      return committed instanceof Promise ? endLater(claimed, committed) : void renewals.end(claimed);
    },
    async release(claimed) {
      try {
        await store.release(claimed.key, claimed.token);
      } catch {
        // Its lease ends by itself.
      } finally {
        renewals.end(claimed);
      }
    },
    stop: renewals.stop,
  };
}

/**
 * Makes what names an event's work. A reader without a group shares its work with nobody, but its restart does. Only the
 * last part may be of any form, so that no two names are alike.
 */
function createNames(
  group: string | undefined,
  key: IdempotencyOptions<never>["key"],
): (event: CloudEvent, delivery: HandlerDelivery) => string {
  if (key) {
    return (event, delivery) => [group ?? "", delivery.destination, "key", key(event, delivery)].join("\n");
  }
  // What stands before the id is mostly that of the event before. A store in memory would spend half of its time on
  // putting the parts of a longer text together.
  let last: { readonly destination: string; readonly source: string; readonly prefix: string } | undefined;
  return ({ source, id }, { destination }) => {
    if (destination !== last?.destination || source !== last.source) {
      last = { destination, source, prefix: [group ?? "", destination, "id", source, ""].join("\n") };
    }
    return last.prefix + id;
  };
}
