import { type Context, context as contextApi, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import type { BatchDelivery, BatchEntry } from "./batch-options.ts";
import { BatchView, EntryView } from "./batch-view.ts";
import { decodeMessage } from "./codec/detect.ts";
import type { BatchResult, BatchRun } from "./delivery/collector.ts";
import type { Environment } from "./environment.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import type { Publisher } from "./publisher.ts";
import { describeMessage, linksTo, type Reader } from "./reader.ts";
import { createOutcomes, type Reception, type Registration } from "./reception.ts";
import { type Attributes, endSpan, spanKinds } from "./telemetry/tracing.ts";

/** What a subscription runs for a batch. */
export type RawBatchHandler = (entries: readonly BatchEntry[], batch: BatchDelivery) => unknown;

/** A delivery of a batch: read, or with what made it unreadable. */
interface Read {
  readonly run: BatchRun;
  readonly event?: CloudEvent | undefined;
  readonly registration?: Registration | undefined;
  readonly failure?: EventError;
}

/** One that the handler gets. */
interface Handed extends Read {
  readonly event: CloudEvent;
  readonly registration: Registration;
}

/** Makes the function that takes a batch of deliveries from messages to verdicts, each of its own. */
export function createBatchReceiver(
  env: Environment,
  publish: Publisher["publish"],
  reader: Reader,
  reception: Reception,
): (batch: readonly BatchRun[]) => Promise<readonly BatchResult[]> {
  const { clock, limits, tracing } = env;
  const { capabilities, group, metrics } = reception;
  const { binding, system } = capabilities;
  const outcomes = createOutcomes(env, reception);

  return async (batch) => {
    const startedMs = clock.now();
    metrics()?.inFlight.add(batch.length);
    const read = await Promise.all(batch.map(readOne));
    const views = await handle(read);
    /** By key, what failed and comes again: later deliveries of the key come again behind it. */
    const repeating = new Map<unknown, EventError>();
    return read.map((each) => conclude(each, views.get(each)?.failure, repeating, startedMs));
  };

  async function readOne(run: BatchRun): Promise<Read> {
    let event: CloudEvent | undefined;
    try {
      event = decodeMessage(run.delivery.message, binding, limits);
      const registration = reception.find(event.type);
      if (registration && (registration.options.validate ?? true)) event = await reader.typed(event);
      return { run, event, registration };
    } catch (reason) {
      return { run, event, failure: EventError.from(reason, "handler-failed", true) };
    }
  }

  /** Hands over what can be handled, and answers what the handler said of each. */
  async function handle(read: readonly Read[]): Promise<ReadonlyMap<Read, EntryView>> {
    const views = new Map<Read, EntryView>();
    const handed = read.filter((each): each is Handed => each.registration !== undefined);
    const registration = handed[0]?.registration;
    if (!registration) return views;
    const { trust = "continue", correlation = "parent" } = registration.options;
    const sent = handed.map(({ run, event }) => reader.extract({ message: run.delivery.message, event }));
    const span = tracing.active() ? startSpan(handed, sent, trust === "drop") : undefined;
    const context = span ? trace.setSpan(ROOT_CONTEXT, span) : ROOT_CONTEXT;
    const entries = handed.map((each, i): BatchEntry => {
      const { run, event } = each;
      let own = trust === "continue" ? sent[i]! : context;
      if (trust === "continue" && correlation === "link") own = span ? trace.setSpan(own, span) : trace.deleteSpan(own);
      const delivery = new EntryView(run.delivery, event, run.attempt, own, publish);
      views.set(each, delivery);
      return { event, delivery };
    });
    const view = new BatchView(
      context,
      handed.map(({ run }) => run.delivery),
    );
    const handler = registration.handler as unknown as RawBatchHandler;
    try {
      await contextApi.with(context, handler, undefined, entries, view);
    } catch (reason) {
      for (const delivery of views.values()) delivery.fail(reason);
    }
    view.end();
    endSpan(span, Array.from(views.values(), ({ failure }) => failure).find(Boolean));
    return views;
  }

  /** One span for the batch; what its messages do not have in common stands on the links to them. */
  function startSpan(handed: readonly Handed[], sent: readonly Context[], unlinked: boolean): Span {
    const { destination } = handed[0]!.run.delivery.message;
    const common = handed.every(({ run }) => run.delivery.message.destination === destination);
    const attributes: Attributes = {
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.system": system,
      "messaging.batch.message_count": handed.length,
    };
    if (common) attributes["messaging.destination.name"] = destination;
    if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
    const linked = unlinked ? [] : handed;
    const links = linked.flatMap(({ run: { delivery }, event }, i) =>
      linksTo(event, sent[i]!).map((link) => ({
        ...link,
        attributes: describeMessage({}, capabilities, delivery.message, event),
      })),
    );
    return tracing.start(
      common ? `process ${destination}` : "process",
      spanKinds.process,
      attributes,
      ROOT_CONTEXT,
      links,
    );
  }

  function conclude(
    { run, event, registration, failure }: Read,
    failed: EventError | undefined,
    repeating: Map<unknown, EventError>,
    startedMs: number,
  ): BatchResult {
    const { delivery, attempt, key } = run;
    // What never reached the handler waits for nothing.
    const before = registration ? repeating.get(key) : undefined;
    const reason = before ?? failure ?? failed;
    let result: BatchResult = before && "follow";
    if (!reason) {
      if (!registration) metrics()?.unhandled.add(1, { "messaging.system": system });
      outcomes.ack(delivery);
    } else if (!before) {
      result = outcomes.fail(reason, delivery, attempt, event);
      if (result) repeating.set(key, reason);
    }
    outcomes.count(delivery, event, reason, startedMs);
    return result;
  }
}
