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
import { isContextManaged } from "./telemetry/context-manager.ts";
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
        const { handler, options } = registration;
        const received = { message: delivery.message, event };
        const sent = (): Context => trusted(reader.extract(received), options);
        let context: Context | undefined;
        if (tracing.active()) {
          const opened = open(delivery, event, options);
          span = opened.span;
          context = opened.context;
        } else if (isContextManaged()) context = sent();
        if (options.validate ?? true) {
          const typed = reader.typed(event);
          event = typed instanceof Promise ? await typed : typed;
        }
        const view = new DeliveryView(delivery, event, attempt, context ?? sent, publish);
        await (context ? contextApi.with(context, handler, undefined, event, view) : handler(event, view));
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

  /** The span of a delivery, and the context in which its handler runs. */
  function open(
    delivery: Delivery,
    event: CloudEvent,
    options: Registration["options"],
  ): { readonly context: Context; readonly span: Span } {
    const { message } = delivery;
    const sent = reader.extract({ message, event });
    const context = trusted(sent, options);
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
      options.trust === "drop" ? [] : linksTo(event, sent),
    );
    return { context: trace.setSpan(context, span), span };
  }
}

/** What counts of the context that a sender gave. */
function trusted(sent: Context, { trust = "continue", correlation = "parent" }: Registration["options"]): Context {
  const context = trust === "continue" ? sent : ROOT_CONTEXT;
  return correlation === "link" ? trace.deleteSpan(context) : context;
}
