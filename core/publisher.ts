import { deadline } from "./deadline.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { OnDemand } from "./on-demand.ts";
import type { PublishItem, PublishOptions, PublishRetry, Receipt, WaitOptions } from "./options.ts";
import type { Outbound, PrepareOptions, Sending } from "./outgoing.ts";
import type { Rest } from "./rest.ts";
import type { Plan } from "./routing.ts";
import { validate } from "./schema.ts";
import { keepContext } from "./telemetry/keep-context.ts";
import { instruments, publishInstruments } from "./telemetry/metrics.ts";
import { endSpan } from "./telemetry/tracing.ts";
import type { PublishOutcome } from "./transport.ts";

/** What may be said of one sending. */
export type SendOptions = PrepareOptions & WaitOptions & PublishRetry;

/** Sends events through the transports of a bus. */
export interface Publisher {
  publish(type: string, data: unknown, options?: PublishOptions & SendOptions): Promise<Receipt>;
  post(type: string, data: unknown, options?: PublishOptions): boolean;
  publishAll(items: readonly PublishItem[], options?: WaitOptions): Promise<(Receipt | EventError)[]>;
  /** Sends what was validated. */
  send(plan: Plan, data: unknown, options: SendOptions): Promise<Receipt>;
  /** Ends the span of what was sent and counts it; answers the receipt or the error of the outcome. */
  finish(sending: Sending, outcome: PublishOutcome): Receipt | EventError;
}

/** Makes the publisher of a bus. */
export function createPublisher(env: Environment, { prepare }: Outbound, rest: OnDemand<Rest>): Publisher {
  const { clock, router } = env;
  const metrics = instruments(env.meterProvider, (meter) => publishInstruments(meter, env.health));
  /** What needs the rest runs a moment later; events that come meanwhile queue behind it. */
  let queue: Promise<unknown> | undefined;

  function withRest<T>(run: (loaded: Rest) => Promise<T>): Promise<T> {
    const loading = rest.load();
    const done = (): void => {
      queue = undefined;
    };
    queue = loading;
    loading.then(done, done);
    return loading.then(keepContext(run));
  }

  function finish(sending: Sending, outcome: PublishOutcome): Receipt | EventError {
    const { plan, span, destination, id } = sending;
    const error = outcome.stored ? undefined : rejection(outcome);
    if (span && outcome.stored) {
      const { partition, offset } = outcome.at;
      const own = plan.transport.capabilities.attributes;
      if (partition !== undefined) span.setAttribute("messaging.destination.partition.id", String(partition));
      if (offset !== undefined && own?.offset) span.setAttribute(own.offset, offset);
    }
    endSpan(span, error);
    count(sending, error);
    if (!outcome.stored) return error!;
    // Not a spread amid the others, which the engine copies the slow way.
    return Object.assign({ id, transport: plan.name, destination, attempts: 1, stored: "broker" } as const, outcome.at);
  }

  function count({ plan, destination, startedMs }: Sending, error: EventError | undefined): void {
    const made = metrics();
    if (!made) return;
    const elapsedMs = clock.now() - startedMs;
    const attributes: Record<string, string> = {
      "messaging.operation.name": "publish",
      "messaging.system": plan.transport.capabilities.system,
    };
    // A destination that the caller made up may have any number of values; the catalog's has few.
    if (destination === plan.destination) attributes["messaging.destination.name"] = destination;
    if (error) attributes["error.type"] = error.code;
    made.sent.add(1, attributes);
    made.operation.record(elapsedMs / 1000, { ...attributes, "messaging.operation.type": "send" });
    const guide = { "event.type": plan.type, backend: plan.name, success: !error };
    made.published.add(1, guide);
    made.publishDuration.record(elapsedMs, guide);
  }

  function send(plan: Plan, data: unknown, options: SendOptions): Promise<Receipt> {
    if (plan.chain || options.retry) return withRest(({ sendAlong }) => sendAlong(plan, data, options));
    if (queue) {
      const go = keepContext(() => send(plan, data, options));
      return queue.then(go, go);
    }
    const sending = prepare(plan, data, options, "publish");
    const limit = deadline(clock, options);
    return plan.transport.publish([sending.message], limit).then((outcomes) => {
      limit?.stop();
      const result = finish(sending, outcomes[0]!);
      if (result instanceof EventError) throw result;
      return result;
    });
  }

  function publish(type: string, data: unknown, options: PublishOptions & SendOptions = {}): Promise<Receipt> {
    try {
      env.checkOpen();
      const plan = router.plan(type, data, options);
      const valid = plan.definition && validate(plan.definition.schema, data, type);
      return valid instanceof Promise
        ? valid.then(keepContext(() => send(plan, data, options)))
        : send(plan, data, options);
    } catch (reason) {
      return Promise.reject(EventError.from(reason, "invalid-data"));
    }
  }

  function post(type: string, data: unknown, options: PublishOptions = {}): boolean {
    env.checkOpen();
    const plan = router.plan(type, data, options);
    if (plan.definition && validate(plan.definition.schema, data, type) instanceof Promise) {
      throw new EventError("schema-async", `"${type}" has an asynchronous schema: use publish`);
    }
    const { transport, chain } = plan;
    if (chain || queue || !transport.post) {
      send(plan, data, options).catch((reason) => {
        env.report(EventError.from(reason), { transport: plan.name, destination: plan.destination });
      });
      return true;
    }
    const sending = prepare(plan, data, options, "publish");
    let error: EventError | undefined;
    try {
      if (transport.post(sending.message)) return true;
      error = new EventError("buffer-full", `${plan.name}: the buffer is full`);
      return false;
    } catch (reason) {
      error = EventError.from(reason);
      throw error;
    } finally {
      endSpan(sending.span, error);
      count(sending, error);
    }
  }

  return {
    publish,
    post,
    publishAll: (items, options) => withRest(({ publishAll }) => publishAll(items, options)),
    send,
    finish,
  };
}

function rejection(outcome: PublishOutcome & { stored: false }): EventError {
  const { retrySafe } = outcome;
  let { error } = outcome;
  // A transport only knows that its signal aborted; the reason says whether the time was over.
  if (error.code === "aborted" && error.cause instanceof EventError) error = error.cause;
  return new EventError(error.code, error.message, {
    cause: error.cause ?? error,
    retryable: error.retryable,
    outcome: outcome.outcome,
    retrySafe,
  });
}
