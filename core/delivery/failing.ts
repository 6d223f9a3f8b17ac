import type { Context } from "@opentelemetry/api";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { Reception, Registration } from "../reception.ts";
import type { Delivery, Verdict } from "../transport.ts";
import { type AttemptRecord, failedAgain, noAttempts } from "./attempt-log.ts";
import type { LetterReason } from "./letter.ts";
import { Postponed } from "./once.ts";
import type { Decision, RetryPolicy } from "./retry-policy.ts";
import type { RunResult } from "./scheduler.ts";

/** What the handler asked for by `retryAfter` or `deadLetter`. */
export type Request =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "dead-letter"; readonly reason: string };

/** A delivery that did not end well. */
export interface Failed {
  readonly delivery: Delivery;
  readonly attempt: number;
  readonly event: CloudEvent | undefined;
  readonly registration: Registration | undefined;
  /** What was known before this attempt. */
  readonly record: AttemptRecord | undefined;
  readonly request?: Request | undefined;
  /** Whether the handler ran. */
  readonly handled: boolean;
  /** Of the span that handled it. */
  readonly context: Context | undefined;
}

/** Decides what becomes of deliveries that failed. */
export interface Failing {
  /** A result only where it is to run again in place. */
  fail(reason: unknown, failed: Failed): RunResult | Promise<RunResult>;
  /** Something else than the event failed: it is reported, and the event comes again without an attempt burnt. */
  later(reason: unknown, failed: Failed): RunResult | Promise<RunResult>;
  /** Lets it come again after a while, in place or by the broker. */
  comeAgain(delivery: Delivery, delayMs: number): RunResult;
  /** Gives up without another attempt. */
  giveUp(reason: LetterReason, failure: EventError, failed: Failed): Promise<RunResult>;
}

/** Pause before a dead letter that could not be stored is tried again, and before what was not to blame comes again. */
const storeAgainMs = 5_000;

/** Makes what decides for a reception. */
export function createFailing({ clock, report }: Environment, reception: Reception): Failing {
  const { attempts, group, inPlace, transport } = reception;

  function settle(delivery: Delivery, verdict: Verdict): void {
    reception.settling(delivery.settle(verdict), delivery);
  }

  function comeAgain(delivery: Delivery, delayMs: number): RunResult {
    if (delivery.signal.aborted) return undefined; // the next owner gets it
    if (inPlace) return { retryAfterMs: delayMs };
    settle(delivery, { kind: "retry", delayMs });
    return undefined;
  }

  /** It comes again, and what is known stays as it was. */
  function postpone(
    failed: Failed,
    delayMs: number,
    record = failed.record ?? noAttempts,
  ): RunResult | Promise<RunResult> {
    const { delivery, attempt } = failed;
    const shared = attempts.again(delivery, attempt, record);
    return shared ? shared.then(() => comeAgain(delivery, delayMs)) : comeAgain(delivery, delayMs);
  }

  function done({ delivery }: Failed, verdict: Verdict): undefined {
    attempts.over(delivery);
    settle(delivery, verdict);
    return undefined;
  }

  async function giveUp(why: LetterReason, failure: EventError, failed: Failed): Promise<RunResult> {
    const { delivery, context } = failed;
    const letters = reception.letters();
    if (!letters) return done(failed, { kind: "reject", reason: failure.code });
    const record = failed.record ?? noAttempts;
    try {
      const parkedKey = letters.parks ? delivery.message.key : undefined;
      const parking =
        parkedKey === undefined ? undefined : await reception.parked()?.park(delivery, parkedKey, why !== "parked");
      const given = { delivery, transport, group, reason: why, failure, record, nowMs: clock.now(), parkedKey };
      const id = await letters.store({ ...given, front: parking?.front }, context);
      await parking?.stored(id);
      reception.count("dead-letter", { reason: why });
      return done(failed, { kind: "ack" });
    } catch (reason) {
      tell(EventError.from(reason), failed);
      // Nothing is settled, and the handler is not asked again: only the letter is missing.
      return await postpone(failed, storeAgainMs, { ...record, gaveUp: why });
    }
  }

  function tell(failure: EventError, { delivery, attempt, event }: Failed): void {
    const { message, position } = delivery;
    report(failure, { transport, destination: message.destination, position, attempt, event });
  }

  function fail(reason: unknown, failed: Failed): RunResult | Promise<RunResult> {
    const { delivery, registration, request, handled } = failed;
    if (reason instanceof Postponed) {
      reception.breaker()?.inconclusive();
      return delivery.signal.aborted ? undefined : postpone(failed, reason.delayMs);
    }
    const failure = EventError.from(reason, "handler-failed", true);
    tell(failure, failed);
    if (delivery.signal.aborted) {
      reception.breaker()?.inconclusive();
      return undefined; // not ours any more: the next owner gets it
    }
    // What failed because something else was closed or given up is no fault of the event.
    const unfinished = failure.code === "closed" || failure.code === "aborted";
    if (unfinished && reception.closing()) {
      if (failed.record) void attempts.again(delivery, failed.attempt, failed.record);
      if (inPlace) return { retryAfterMs: 0 };
      delivery.release();
      return undefined;
    }
    const breaker = reception.breaker();
    if (!handled || !(failure.retryable || unfinished) || request) breaker?.inconclusive();
    else if (breaker?.failed()) return postpone(failed, breaker.openMs);
    // A reason that the handler gave stays the reason, whatever it threw behind it.
    const told =
      request?.kind === "dead-letter"
        ? new EventError(failure.code, request.reason, { cause: failure.cause })
        : failure;
    const record = failedAgain(failed.record ?? noAttempts, told, clock.now());
    const now = { ...failed, record };
    if (request?.kind === "dead-letter") return giveUp("requested", told, now);
    const policy = reception.policy(registration);
    const retryable = unfinished && !failure.retryable;
    const judged = retryable ? new EventError(failure.code, failure.message, { cause: failure, retryable }) : failure;
    const decision = decide(policy, judged, now);
    const delayMs = request?.delayMs ?? (decision.kind === "retry" ? decision.delayMs : 0);
    if (decision.kind === "retry" || (request && record.count < policy.attempts)) {
      reception.count("retry", {});
      return retry(now, policy, delayMs);
    }
    return giveUp(whyGivenUp(failure, failed, decision), failure, now);
  }

  /** What the policy says. Where functions of the user's throw, the event does not pay for it. */
  function decide(
    policy: RetryPolicy,
    failure: EventError,
    failed: Failed & { readonly record: AttemptRecord },
  ): Decision {
    const { record } = failed;
    try {
      return policy.decide(record, failure, clock.now());
    } catch (reason) {
      tell(EventError.from(reason, "handler-failed"), failed);
      return record.count < policy.attempts
        ? { kind: "retry", delayMs: storeAgainMs }
        : { kind: "give-up", because: "attempts-exhausted" };
    }
  }

  function retry(
    failed: Failed & { readonly record: AttemptRecord },
    { maxInPlaceMs, escalate }: RetryPolicy,
    delayMs: number,
  ): RunResult | Promise<RunResult> {
    const { delivery, record } = failed;
    const held = reception.holdsUp;
    const retries = reception.retries();
    if (held && escalate && retries && delayMs > maxInPlaceMs) {
      return retries.move(delivery, record, delayMs).then(
        () => done(failed, { kind: "ack" }),
        (reason) => {
          tell(EventError.from(reason), failed);
          return postpone(failed, maxInPlaceMs);
        },
      );
    }
    return postpone(failed, held ? Math.min(delayMs, maxInPlaceMs) : delayMs);
  }

  function later(reason: unknown, failed: Failed): RunResult | Promise<RunResult> {
    tell(EventError.from(reason, "transport-failed", true), failed);
    reception.breaker()?.inconclusive();
    return failed.delivery.signal.aborted ? undefined : postpone(failed, storeAgainMs);
  }

  return { fail, giveUp, comeAgain, later };
}

function whyGivenUp({ code }: EventError, { event, handled }: Failed, decision: Decision): LetterReason {
  if (!event) return "unreadable";
  if (!handled && code === "invalid-data") return "invalid";
  // A handler that asked for another attempt has used up the last.
  return decision.kind === "give-up" ? decision.because : "attempts-exhausted";
}
