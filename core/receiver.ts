import { type Context, context as contextApi, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { decodeMessage } from "./codec/detect.ts";
import type { RunResult } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import { DeliveryView } from "./handler-delivery.ts";
import type { Publisher } from "./publisher.ts";
import { describeMessage, linksTo, type Reader } from "./reader.ts";
import { createOutcomes, type Reception, type Registration } from "./reception.ts";
import { type Attributes, endSpan, spanKinds } from "./telemetry/tracing.ts";
import type { Delivery } from "./transport.ts";

/** Makes the function that takes one delivery from message to verdict. */
export function createReceiver(
  env: Environment,
  publish: Publisher["publish"],
  reader: Reader,
  reception: Reception,
): (delivery: Delivery, attempt: number) => Promise<RunResult> {
  const { clock, limits, tracing } = env;
  const { capabilities, group, metrics } = reception;
  const { binding, system } = capabilities;
  const outcomes = createOutcomes(env, reception);

  return async (delivery, attempt) => {
    const startedMs = clock.now();
    let event: CloudEvent | undefined;
    let span: Span | undefined;
    let failure: EventError | undefined;
    let result: RunResult;
    metrics()?.inFlight.add(1);
    try {
      event = decodeMessage(delivery.message, binding, limits);
      const registration = reception.find(event.type);
      if (registration) {
        const opened = open(delivery, event, registration.options);
        span = opened.span;
        if (registration.options.validate ?? true) event = await reader.typed(event);
        const view = new DeliveryView(delivery, event, attempt, opened.context, publish);
        await contextApi.with(opened.context, registration.handler, undefined, event, view);
      } else metrics()?.unhandled.add(1, { "messaging.system": system });
      outcomes.ack(delivery);
    } catch (reason) {
      failure = EventError.from(reason, "handler-failed", true);
      result = outcomes.fail(failure, delivery, attempt, event);
    }
    endSpan(span, failure);
    outcomes.count(delivery, event, failure, startedMs);
    return result;
  };

  /** The context in which the handler runs, and its span. */
  function open(
    { message }: Delivery,
    event: CloudEvent,
    { trust = "continue", correlation = "parent" }: Registration["options"],
  ): { context: Context; span?: Span } {
    const sent = reader.extract({ message, event });
    let context = trust === "continue" ? sent : ROOT_CONTEXT;
    if (correlation === "link") context = trace.deleteSpan(context);
    if (!tracing.active()) return { context };
    const attributes: Attributes = {
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.system": system,
    };
    if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
    const span = tracing.start(
      `process ${message.destination}`,
      spanKinds.process,
      describeMessage(attributes, capabilities, message, event),
      context,
      trust === "drop" ? [] : linksTo(event, sent),
    );
    return { context: trace.setSpan(context, span), span };
  }
}
