import { context } from "@opentelemetry/api";
import { deadline } from "./deadline.ts";
import { CircuitBreaker } from "./delivery/circuit-breaker.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { Receipt, Route, WaitOptions } from "./options.ts";
import type { Outbound, PrepareOptions, Sending, SendOperation } from "./outgoing.ts";
import type { Publisher } from "./publisher.ts";
import type { Plan } from "./routing.ts";
import { instruments } from "./telemetry/metrics.ts";
import type { PublishOutcome } from "./transport.ts";

/** One event's way along a fallback chain. */
export interface Along {
  /** The event as the transport whose turn it is takes it. */
  readonly sending: Sending;
  /** Ends an attempt: a receipt or an error when the event is done, undefined when `sending` is the next attempt. */
  done(outcome: PublishOutcome): Receipt | EventError | undefined;
  /** The event is not going to be sent. */
  abandon(): void;
}

/** Leads events along fallback chains. */
export interface Chains {
  /** Prepares an event for the first transport of its chain that is available. */
  begin(plan: Plan, data: unknown, options: PrepareOptions, operation: SendOperation): Along;
  send(plan: Plan, data: unknown, options: PrepareOptions & WaitOptions): Promise<Receipt>;
}

const levels = { closed: 0, "half-open": 1, open: 2 } as const;

/** Makes the chains of a bus. */
export function createChains(env: Environment, { prepare }: Outbound, { finish }: Publisher): Chains {
  const { clock } = env;
  /** One for each transport of a route. */
  const breakers = new Map<Route, Map<string, CircuitBreaker>>();
  const metrics = instruments(env.meterProvider, (meter) =>
    meter.createObservableGauge("waybill.breaker.state").addCallback((result) => {
      for (const [{ type }, own] of breakers) {
        for (const [backend, { state }] of own) result.observe(levels[state], { "event.type": type, backend });
      }
    }),
  );

  function breakersOf(route: Route, plans: readonly Plan[]): Map<string, CircuitBreaker> {
    let own = breakers.get(route);
    if (!own) {
      own = new Map(plans.map(({ name }) => [name, new CircuitBreaker(clock, route.breaker)]));
      breakers.set(route, own);
      metrics();
    }
    return own;
  }

  function begin(plan: Plan, data: unknown, options: PrepareOptions, operation: SendOperation): Along {
    const { route, plans } = plan.chain!;
    const own = breakersOf(route, plans);
    const foreign = options.source !== undefined;
    const given = {
      ...options,
      // A later attempt is made when the answer to an earlier one comes.
      context: options.context ?? context.active(),
      // Every attempt sends one and the same event.
      id: options.id ?? env.ids(),
      time: options.time ?? (foreign ? undefined : new Date(clock.now()).toISOString()),
      key: options.key ?? (foreign ? undefined : plan.definition?.key?.(data)),
    };
    const usable = given.key !== undefined && route.order !== "none" ? plans.slice(0, 1) : plans;
    const failures: EventError[] = [];
    let at = available(0);
    // With none available the preferred one decides: it may hold the event until it is back.
    if (at === undefined) at = 0;
    let sending = prepareFor(at);

    /** The first from `from` on that is connected and whose breaker lets the event through. */
    function available(from: number): number | undefined {
      for (let n = from; n < usable.length; n++) {
        const { transport, name } = usable[n]!;
        if (transport.health().state === "connected" && own.get(name)!.allows()) return n;
      }
      return undefined;
    }

    function prepareFor(n: number): Sending {
      const next = usable[n]!;
      try {
        return prepare(next, data, given, operation);
      } catch (reason) {
        own.get(next.name)!.released();
        throw reason;
      }
    }

    function done(outcome: PublishOutcome): Receipt | EventError | undefined {
      const result = finish(sending, outcome);
      const breaker = own.get(sending.plan.name)!;
      if (!(result instanceof EventError)) {
        breaker.succeeded();
        return { ...result, attempts: failures.length + 1 };
      }
      const { code, retryable } = result;
      const givenUp = code === "aborted" || code === "timeout";
      // What is wrong with this event alone says nothing about the transport.
      if (!givenUp && (retryable || code === "closed")) breaker.failed();
      else breaker.released();
      failures.push(result);
      const moves = !givenUp && (result.outcome === "failed" || route.fallbackOnUnknown);
      const next = moves ? available(at! + 1) : undefined;
      if (next === undefined) return summary(failures);
      at = next;
      try {
        sending = prepareFor(next);
        return undefined;
      } catch (reason) {
        failures.push(EventError.from(reason, "invalid-data"));
        return summary(failures);
      }
    }

    return {
      get sending() {
        return sending;
      },
      done,
      abandon: () => own.get(sending.plan.name)!.released(),
    };
  }

  async function send(plan: Plan, data: unknown, options: PrepareOptions & WaitOptions): Promise<Receipt> {
    const along = begin(plan, data, options, "publish");
    const limit = deadline(clock, options);
    try {
      for (;;) {
        const { message, plan: turn } = along.sending;
        const [outcome] = await turn.transport.publish([message], limit);
        const result = along.done(outcome!);
        if (result instanceof EventError) throw result;
        if (result) return result;
      }
    } finally {
      limit?.stop();
    }
  }
  return { begin, send };
}

/** The last failure, which says of the event what all of them together say. */
function summary(failures: readonly EventError[]): EventError {
  const last = failures.at(-1)!;
  if (failures.length === 1) return last;
  const before = failures.slice(0, -1).map(({ message }) => message);
  return new EventError(last.code, `${last.message} (before that: ${before.join("; ")})`, {
    cause: last.cause,
    retryable: failures.some(({ retryable }) => retryable),
    outcome: failures.some(({ outcome }) => outcome === "unknown") ? "unknown" : "failed",
    retrySafe: failures.every(({ retrySafe }) => retrySafe !== false),
  });
}
