import { type Context, context as contextApi, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { decodeMessage } from "./codec/detect.ts";
import type { Admission } from "./delivery/admission.ts";
import type { AttemptRecord } from "./delivery/attempt-log.ts";
import type { Failing } from "./delivery/failing.ts";
import type { LetterReason } from "./delivery/letter.ts";
import { type Once, type OnceOutcome, Postponed } from "./delivery/once.ts";
import type { RunResult } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import { type DeliveryHost, DeliveryView } from "./handler-delivery.ts";
import { describeMessage, linksTo, type Reader } from "./reader.ts";
import { countDelivery, type Reception, type Registration } from "./reception.ts";
import { isContextManaged } from "./telemetry/context-manager.ts";
import { spanKinds } from "./telemetry/span-kinds.ts";
import { type Attributes, endSpan } from "./telemetry/tracing.ts";
import type { Delivery } from "./transport.ts";

/** An event whose process died so many times as often as it may fail is not tried again. */
export const crashLoop = 3;

/** What a receiver is made of. */
export interface ReceiverParts {
  readonly env: Environment;
  readonly host: DeliveryHost;
  readonly reader: Reader;
  readonly reception: Reception;
  readonly admission: Admission;
  readonly failing: Failing;
}

/** Makes the function that takes one delivery from message to verdict. */
export function createReceiver(parts: ReceiverParts): (delivery: Delivery, attempt: number) => Promise<RunResult> {
  const { env, host, reader, reception, admission, failing } = parts;
  const { clock, limits, tracing } = env;
  const { capabilities, group, metrics } = reception;
  const { binding, system } = capabilities;

  return async (delivery, attempt) => {
    const measured = metrics();
    measured?.inFlight.add(1);
    const startedMs = measured && clock.now();
    let record: AttemptRecord | undefined;
    if (admission.concerns(delivery, attempt)) {
      const admitted = await admission.admit(delivery, attempt);
      if ("result" in admitted) {
        measured?.inFlight.add(-1);
        reception.breaker()?.inconclusive();
        return admitted.result;
      }
      record = admitted.record;
    }
    let event: CloudEvent | undefined;
    let registration: Registration | undefined;
    let span: Span | undefined;
    let context: Context | undefined;
    let view: DeliveryView | undefined;
    let failure: EventError | undefined;
    let why: LetterReason | undefined;
    let result: RunResult;
    try {
      event = decodeMessage(delivery.message, binding, limits);
      registration = reception.find(event.type);
      if (registration) {
        const { options } = registration;
        const received = { message: delivery.message, event };
        const sent = (): Context => trusted(reader.extract(received), options);
        if (tracing.active()) {
          const opened = open(delivery, event, options);
          span = opened.span;
          context = opened.context;
        } else if (isContextManaged()) context = sent();
        if (options.validate ?? true) {
          const typed = reader.typed(event);
          event = typed instanceof Promise ? await typed : typed;
        }
        if (record && reception.letters() && record.crashes >= crashLoop * registration.policy.attempts) {
          why = "crash-loop";
          throw new EventError("handler-failed", `its process died in ${record.crashes} attempts`);
        }
        if (delivery.signal.aborted) throw anotherOwner();
        view = new DeliveryView(host, delivery, event, (record?.count ?? 0) + 1, context ?? sent);
        if (registration.once) {
          const { repeated } = await runOnce(registration.once, registration, delivery, event, view, context);
          if (repeated) reception.count("repeated", {});
        } else {
          await run(registration, delivery, event, view, context);
          view.conclude();
        }
        reception.breaker()?.succeeded();
      } else if (record && record.count > 0 && reception.letters()) {
        // It was to be tried again, by a handler that has left since.
        why = "not-retryable";
        throw new EventError("handler-failed", `nobody handles it any more; before that: ${record.message}`);
      } else {
        reception.breaker()?.inconclusive();
        reception.count("unhandled", {});
      }
      if (record) reception.attempts.over(delivery);
      reception.settling(delivery.settle({ kind: "ack" }), delivery);
    } catch (reason) {
      view?.end();
      if (!(reason instanceof Postponed)) failure = EventError.from(reason, "handler-failed", true);
      const request = view?.request;
      const handled = view !== undefined;
      const failed = { delivery, attempt, event, registration, record, request, handled, context };
      const ending = why ? failing.giveUp(why, failure!, failed) : failing.fail(failure ?? reason, failed);
      result = ending instanceof Promise ? await ending : ending;
    }
    endSpan(span, failure);
    countDelivery(reception, delivery, event, failure?.code, startedMs, clock);
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

/** Runs the handler, within its limit of time and in the context of its delivery where it has them. */
function run(
  { handler, limit }: Registration,
  delivery: Delivery,
  event: CloudEvent,
  view: DeliveryView,
  context: Context | undefined,
): unknown {
  view.limited = limit?.start(delivery.signal);
  const outcome = context ? contextApi.with(context, handler, undefined, event, view) : handler(event, view);
  return view.limited && isPromise(outcome) ? view.limited.race(outcome) : outcome;
}

/** As {@link run}, and concludes it, unless it was done before. */
function runOnce(
  once: Once,
  registration: Registration,
  delivery: Delivery,
  event: CloudEvent,
  view: DeliveryView,
  context: Context | undefined,
): Promise<OnceOutcome> {
  const work = (transaction: unknown): unknown => {
    // Claiming takes its time.
    if (delivery.signal.aborted) throw anotherOwner();
    view.transaction = transaction as undefined;
    return run(registration, delivery, event, view, context);
  };
  return once.run(event, view, work, () => view.conclude());
}

/** Of a delivery whose lane went away before its handler was called. */
export function anotherOwner(): Postponed {
  return new Postponed("the lane has another owner", 0);
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
}

/** What counts of the context that a sender gave. */
function trusted(sent: Context, { trust = "continue", correlation = "parent" }: Registration["options"]): Context {
  const context = trust === "continue" ? sent : ROOT_CONTEXT;
  return correlation === "link" ? trace.deleteSpan(context) : context;
}
