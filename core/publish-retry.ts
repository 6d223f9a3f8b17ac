import { context } from "@opentelemetry/api";
import { deadline } from "./deadline.ts";
import { createRetryPolicy, type Decision, type Failures, type RetryPolicy } from "./delivery/retry-policy.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { Receipt } from "./options.ts";
import type { Publisher, SendOptions } from "./publisher.ts";
import type { Plan } from "./routing.ts";
import { sleep } from "./sleep.ts";

const usualAttempts = 5;

/** Sends events again whose transport certainly did not store them, or recognises a second copy. */
export function createPublishRetry({ clock, ids, report }: Environment, send: Publisher["send"]): Publisher["send"] {
  /** What the policy says. Where functions of the user's throw, what became of the event is told all the same. */
  function decide(plan: Plan, policy: RetryPolicy, failures: Failures, failure: EventError, nowMs: number): Decision {
    try {
      return policy.decide(failures, failure, nowMs);
    } catch (reason) {
      report(EventError.from(reason, "invalid-option"), { transport: plan.name });
      return { kind: "give-up", because: "not-retryable" };
    }
  }

  return async (plan: Plan, data: unknown, options: SendOptions): Promise<Receipt> => {
    const policy = createRetryPolicy(options.retry!, usualAttempts);
    const foreign = options.source !== undefined;
    const limit = deadline(clock, options);
    // Every attempt sends one and the same event.
    const given: SendOptions = {
      ...options,
      retry: undefined,
      signal: limit?.signal,
      timeoutMs: policy.timeoutMs,
      context: options.context ?? context.active(),
      id: options.id ?? ids(),
      time: options.time ?? (foreign ? undefined : new Date(clock.now()).toISOString()),
    };
    let firstMs = 0;
    try {
      for (let count = 1; ; count++) {
        try {
          const receipt = await send(plan, data, given);
          return { ...receipt, attempts: receipt.attempts + count - 1 };
        } catch (reason) {
          const error = EventError.from(reason);
          firstMs ||= clock.now();
          // What may be stored is sent again only where a second copy is recognised. Without an outcome nothing was sent.
          const safe = error.outcome === undefined ? error.retryable : error.retrySafe;
          const decision = decide(plan, policy, { count, firstMs }, error, clock.now());
          if (!safe || limit?.signal.aborted || decision.kind === "give-up") throw error;
          await sleep(clock, decision.delayMs, limit?.signal);
          if (limit?.signal.aborted) throw EventError.from(limit.signal.reason, "aborted");
        }
      }
    } finally {
      limit?.stop();
    }
  };
}
