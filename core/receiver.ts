import { type Context, context as contextApi, type Link, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { decodeMessage } from "./codec/detect.ts";
import type { RunResult } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import type { HandlerDelivery, PublishOptions, Receipt, SubscribeOptions, WaitOptions } from "./options.ts";
import { type ReceivedEvent, receivedGetter } from "./propagation/carrier.ts";
import { parseTraceParent, readBaggage, readTraceContext } from "./propagation/read.ts";
import type { Publisher } from "./publisher.ts";
import { validate } from "./schema.ts";
import type { ConsumeInstruments } from "./telemetry/consumer-metrics.ts";
import type { Instruments } from "./telemetry/metrics.ts";
import { type Attributes, endSpan, spanKinds } from "./telemetry/tracing.ts";
import type { Capabilities, Delivery, Verdict } from "./transport.ts";

/** What a subscription runs for an event. */
export type RawHandler = (event: CloudEvent, delivery: HandlerDelivery) => unknown;

/** A handler with the options that are its own. */
export interface Registration {
  readonly pattern: string;
  readonly handler: RawHandler;
  readonly options: SubscribeOptions;
}

/** Where deliveries come from and who takes them. */
export interface Reception {
  readonly transport: string;
  readonly capabilities: Capabilities;
  readonly destinations: readonly string[];
  readonly group: string | undefined;
  readonly metrics: Instruments<ConsumeInstruments>;
  /** Whether failed deliveries are repeated in place, so that their key keeps its order. */
  readonly inPlace: boolean;
  find(type: string): Registration | undefined;
  /** Counts a verdict that the transport has not confirmed yet. */
  settling(verdict: Promise<void>, delivery: Delivery): void;
}

/** Pause before a failed delivery comes again. */
const retryDelayMs = 1000;

/** Makes the function that takes one delivery from message to verdict. */
export function createReceiver(
  env: Environment,
  publish: Publisher["publish"],
  reception: Reception,
): (delivery: Delivery, attempt: number) => Promise<RunResult> {
  const { clock, limits, router, tracing } = env;
  const { capabilities, group, metrics } = reception;
  const { binding, system, attributes: own } = capabilities;

  return async (delivery, attempt) => {
    const { message } = delivery;
    const startedMs = clock.now();
    let event: CloudEvent | undefined;
    let span: Span | undefined;
    let failure: EventError | undefined;
    let result: RunResult;
    metrics()?.inFlight.add(1);
    try {
      event = decodeMessage(message, binding, limits);
      const registration = reception.find(event.type);
      if (registration) {
        const opened = open(delivery, event, registration.options);
        span = opened.span;
        if (registration.options.validate ?? true) event = await typed(event);
        const view = new View(delivery, event, attempt, opened.context, publish);
        await contextApi.with(opened.context, registration.handler, undefined, event, view);
      } else metrics()?.unhandled.add(1, { "messaging.system": system });
      settle({ kind: "ack" });
    } catch (reason) {
      failure = EventError.from(reason, "handler-failed", true);
      result = afterFailure(failure);
      env.report(failure, {
        transport: reception.transport,
        destination: message.destination,
        position: delivery.position,
        attempt,
        event,
      });
    }
    endSpan(span, failure);
    count(message.destination, event, failure, startedMs);
    return result;

    function settle(verdict: Verdict): void {
      reception.settling(delivery.settle(verdict), delivery);
    }

    /** Retryable failures come again where the transport can; the rest is done with. */
    function afterFailure(error: EventError): RunResult {
      if (delivery.signal.aborted) return undefined; // not ours any more: the next owner gets it
      // What failed because something else was closed or given up is no fault of the event.
      const again = error.retryable || error.code === "closed" || error.code === "aborted";
      if (!again || !capabilities.redelivery) settle({ kind: "reject", reason: error.code });
      else if (reception.inPlace) return { retryAfterMs: retryDelayMs };
      else settle({ kind: "retry", delayMs: retryDelayMs });
      return undefined;
    }
  };

  /** The event with its data as the schema's output. */
  async function typed(event: CloudEvent): Promise<CloudEvent> {
    const schema = router.definition(event.type)?.schema;
    if (!schema) return event;
    const data = await validate(schema, event.data, `event ${event.id} of type "${event.type}"`);
    return data === event.data ? event : Object.freeze({ ...event, data });
  }

  function extract(received: ReceivedEvent): Context {
    if (env.propagator) return env.propagator.extract(ROOT_CONTEXT, received, receivedGetter);
    return readBaggage(readTraceContext(ROOT_CONTEXT, received, receivedGetter), received, receivedGetter);
  }

  /** The context in which the handler runs, and its span. */
  function open(
    { message }: Delivery,
    event: CloudEvent,
    { trust = "continue", correlation = "parent" }: SubscribeOptions,
  ): { context: Context; span?: Span } {
    const sent = extract({ message, event });
    let context = trust === "continue" ? sent : ROOT_CONTEXT;
    if (correlation === "link") context = trace.deleteSpan(context);
    if (!tracing.active()) return { context };
    const attributes: Attributes = {
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.system": system,
      "messaging.destination.name": message.destination,
      "messaging.message.id": event.id,
    };
    if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
    if (message.partition !== undefined) attributes["messaging.destination.partition.id"] = String(message.partition);
    if (message.offset !== undefined && own?.offset) attributes[own.offset] = message.offset;
    if (message.key !== undefined && own?.key) attributes[own.key] = message.key;
    if (message.body === null && own?.tombstone) attributes[own.tombstone] = true;
    const conversation = event.extensions.correlationid;
    if (conversation !== undefined) attributes["messaging.message.conversation_id"] = conversation;
    const span = tracing.start(
      `process ${message.destination}`,
      spanKinds.process,
      attributes,
      context,
      trust === "drop" ? [] : linksTo(event, sent),
    );
    return { context: trace.setSpan(context, span), span };
  }

  function count(
    destination: string,
    event: CloudEvent | undefined,
    failure: EventError | undefined,
    startedMs: number,
  ): void {
    const made = metrics();
    if (!made) return;
    const attributes: Record<string, string> = { "messaging.operation.name": "process", "messaging.system": system };
    if (reception.destinations.includes(destination)) attributes["messaging.destination.name"] = destination;
    if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
    if (failure) attributes["error.type"] = failure.code;
    const now = clock.now();
    made.inFlight.add(-1);
    made.consumed.add(1, attributes);
    made.process.record((now - startedMs) / 1000, attributes);
    const sentMs = event?.time === undefined ? Number.NaN : Date.parse(event.time);
    if (!failure && sentMs > 0 && sentMs <= now) made.latency.record((now - sentMs) / 1000, attributes);
  }
}

/** To the creation context, which no hop rewrites; a first hop's own header is that. */
function linksTo(event: CloudEvent, sent: Context): Link[] {
  const created = event.extensions.traceparent;
  const context = (created !== undefined && parseTraceParent(String(created))) || trace.getSpanContext(sent);
  return context ? [{ context }] : [];
}

class View implements HandlerDelivery {
  readonly #delivery: Delivery;
  readonly #event: CloudEvent;
  readonly #publish: Publisher["publish"];
  readonly attempt: number;
  readonly context: Context;

  constructor(delivery: Delivery, event: CloudEvent, attempt: number, context: Context, publish: Publisher["publish"]) {
    this.#delivery = delivery;
    this.#event = event;
    this.attempt = attempt;
    this.context = context;
    this.#publish = publish;
  }
  get key(): string | undefined {
    const { partitionkey } = this.#event.extensions;
    return this.#delivery.message.key ?? (partitionkey === undefined ? undefined : String(partitionkey));
  }
  get destination(): string {
    return this.#delivery.message.destination;
  }
  get position(): string {
    return this.#delivery.position;
  }
  get headers(): HandlerDelivery["headers"] {
    return this.#delivery.message.headers;
  }
  get replyTo(): string | undefined {
    return this.#delivery.message.replyTo;
  }
  get signal(): AbortSignal {
    return this.#delivery.signal;
  }
  extend(): void {
    this.#delivery.extend();
  }
  publish(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<Receipt> {
    const { id, extensions } = this.#event;
    const chain = { correlationid: extensions.correlationid ?? id, causationid: id };
    return this.#publish(type, data, {
      context: this.context,
      ...options,
      extensions: { ...chain, ...options.extensions },
    });
  }
}
