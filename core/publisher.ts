import { context, type Link } from "@opentelemetry/api";
import { deadline } from "./deadline.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Outbound, PrepareOptions, Sending } from "./outgoing.ts";
import type { Plan } from "./routing.ts";
import { validate } from "./schema.ts";
import { instruments, publishInstruments } from "./telemetry/metrics.ts";
import { type Attributes, endSpan, spanKinds } from "./telemetry/tracing.ts";
import type { PublishOutcome } from "./transport.ts";

/** One event of a `publishAll` call. */
export interface PublishItem extends PublishOptions {
  readonly type: string;
  readonly data: unknown;
}

/** Sends events through the transports of a bus. */
export interface Publisher {
  publish(type: string, data: unknown, options?: PublishOptions & WaitOptions): Promise<Receipt>;
  post(type: string, data: unknown, options?: PublishOptions): boolean;
  /** Sends what was validated. */
  send(plan: Plan, data: unknown, options: PrepareOptions & WaitOptions): Promise<Receipt>;
  publishAll(items: readonly PublishItem[], options?: WaitOptions): Promise<(Receipt | EventError)[]>;
}

/** Makes the publisher of a bus. */
export function createPublisher(env: Environment, { prepare }: Outbound): Publisher {
  const { clock, router, tracing } = env;
  const metrics = instruments(env.meterProvider, (meter) => publishInstruments(meter, env.health));

  /** Ends the span and counts; answers the receipt or the error of an outcome. */
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

  function send(plan: Plan, data: unknown, options: PrepareOptions & WaitOptions): Promise<Receipt> {
    const sending = prepare(plan, data, options, "publish");
    const limit = deadline(clock, options);
    return plan.transport.publish([sending.message], limit).then((outcomes) => {
      limit?.stop();
      const result = finish(sending, outcomes[0]!);
      if (result instanceof EventError) throw result;
      return result;
    });
  }

  function publish(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<Receipt> {
    try {
      env.checkOpen();
      const plan = router.plan(type);
      const valid = plan.definition && validate(plan.definition.schema, data, type);
      return valid instanceof Promise ? valid.then(() => send(plan, data, options)) : send(plan, data, options);
    } catch (reason) {
      return Promise.reject(EventError.from(reason, "invalid-data"));
    }
  }

  function post(type: string, data: unknown, options: PublishOptions = {}): boolean {
    env.checkOpen();
    const plan = router.plan(type);
    if (plan.definition && validate(plan.definition.schema, data, type) instanceof Promise) {
      throw new EventError("schema-async", `"${type}" has an asynchronous schema: use publish`);
    }
    const sending = prepare(plan, data, options, "publish");
    const { transport } = plan;
    if (transport.post) {
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
    void transport.publish([sending.message]).then((outcomes) => {
      const result = finish(sending, outcomes[0]!);
      if (result instanceof EventError) env.report(result, { transport: plan.name, destination: sending.destination });
    });
    return true;
  }

  async function publishAll(
    items: readonly PublishItem[],
    options: WaitOptions = {},
  ): Promise<(Receipt | EventError)[]> {
    env.checkOpen();
    const results: (Receipt | EventError)[] = new Array(items.length);
    const batches = new Map<string, { index: number; sending: Sending }[]>();
    for (const [index, item] of items.entries()) {
      try {
        const plan = router.plan(item.type);
        const valid = plan.definition && validate(plan.definition.schema, item.data, item.type);
        if (valid instanceof Promise) await valid;
        const batch = batches.get(plan.name) ?? [];
        batch.push({ index, sending: prepare(plan, item.data, item, "create") });
        batches.set(plan.name, batch);
      } catch (reason) {
        results[index] = EventError.from(reason, "invalid-data");
      }
    }
    const limit = deadline(clock, options);
    await Promise.all(
      Array.from(batches, async ([name, batch]) => {
        const span = startBatch(name, batch);
        const messages = batch.map(({ sending }) => sending.message);
        const outcomes = await router.transport(name).publish(messages, limit);
        for (const [n, { index, sending }] of batch.entries()) results[index] = finish(sending, outcomes[n]!);
        endSpan(
          span,
          batch.map(({ index }) => results[index]).find((result) => result instanceof EventError),
        );
      }),
    );
    limit?.stop();
    return results;
  }

  /** One span for the call beside the one that each event carries, as the conventions ask of batches. */
  function startBatch(
    name: string,
    batch: readonly { sending: Sending }[],
  ): ReturnType<typeof tracing.start> | undefined {
    if (!tracing.active()) return undefined;
    const { destination } = batch[0]!.sending;
    const common = batch.every(({ sending }) => sending.destination === destination);
    const links: Link[] = batch.flatMap(({ sending: { span, id } }) =>
      span ? { context: span.spanContext(), attributes: { "messaging.message.id": id } } : [],
    );
    const attributes: Attributes = {
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.system": router.transport(name).capabilities.system,
      "messaging.batch.message_count": batch.length,
    };
    if (common) attributes["messaging.destination.name"] = destination;
    const spanName = common ? `publish ${destination}` : "publish";
    return tracing.start(spanName, spanKinds.send, attributes, context.active(), links);
  }
  return { publish, post, publishAll, send };
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
