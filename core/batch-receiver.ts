import { type Context, context as contextApi, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import type { BatchDelivery, BatchEntry } from "./batch-options.ts";
import { BatchView, EntryView } from "./batch-view.ts";
import { decodeMessage } from "./codec/detect.ts";
import { type AttemptRecord, crashLoop } from "./delivery/attempt-log.ts";
import type { BatchResult, BatchRun } from "./delivery/collector.ts";
import type { Failed } from "./delivery/failing.ts";
import type { RunResult } from "./delivery/scheduler.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import { requested } from "./handler-delivery.ts";
import { describeMessage, linksTo } from "./reader.ts";
import type { ReceiverParts } from "./receiver.ts";
import { countDelivery, type Registration } from "./reception.ts";
import { spanKinds } from "./telemetry/span-kinds.ts";
import { type Attributes, endSpan } from "./telemetry/tracing.ts";

/** What a subscription runs for a batch. */
export type RawBatchHandler = (entries: readonly BatchEntry[], batch: BatchDelivery) => unknown;

/** A delivery of a batch: read, or with what made it unreadable. */
interface Read {
  readonly run: BatchRun;
  readonly event?: CloudEvent | undefined;
  readonly registration?: Registration | undefined;
  readonly failure?: EventError;
  /** What was known of it before. */
  readonly record?: AttemptRecord | undefined;
  /** The handler that would have had it, had it been readable. */
  readonly rejecting?: Registration | undefined;
  /** Set where it is not for the handler and has its result. */
  readonly over?: { readonly result: RunResult };
}

/** One that the handler gets. */
interface Handed extends Read {
  readonly event: CloudEvent;
  readonly registration: Registration;
}

/** Makes the function that takes a batch of deliveries from messages to verdicts, each of its own. */
export function createBatchReceiver({
  env,
  host,
  reader,
  reception,
  admission,
  failing,
}: ReceiverParts): (batch: readonly BatchRun[]) => Promise<readonly BatchResult[]> {
  const { clock, limits, tracing } = env;
  const { capabilities, group, metrics } = reception;
  const { binding, system } = capabilities;

  return async (batch) => {
    const measured = metrics();
    measured?.inFlight.add(batch.length);
    const startedMs = measured && clock.now();
    const read = await Promise.all(batch.map(readOne));
    const views = await handle(read);
    /** By key, what failed and comes again: later deliveries of the key come again behind it. */
    const repeating = new Map<unknown, EventError>();
    const results: BatchResult[] = [];
    for (const each of read) {
      const result = conclude(each, views.get(each), repeating, startedMs);
      results.push(result instanceof Promise ? await result : result);
    }
    return results;
  };

  async function readOne(run: BatchRun): Promise<Read> {
    const { delivery, attempt } = run;
    let event: CloudEvent | undefined;
    let record: AttemptRecord | undefined;
    let rejecting: Registration | undefined;
    if (admission.concerns(delivery, attempt)) {
      const admitted = await admission.admit(delivery, attempt);
      if ("result" in admitted) return { run, over: admitted };
      record = admitted.record;
    }
    try {
      event = decodeMessage(delivery.message, binding, limits);
      const registration = reception.find(event.type);
      rejecting = registration;
      if (registration && (registration.options.validate ?? true)) event = await reader.typed(event);
      if (registration && record && reception.letters() && record.crashes >= crashLoop * registration.policy.attempts) {
        const failure = new EventError("handler-failed", `its process died in ${record.crashes} attempts`);
        return {
          run,
          event,
          over: { result: await failing.giveUp("crash-loop", failure, failedOf(run, event, record)) },
        };
      }
      return { run, event, registration, record };
    } catch (reason) {
      return { run, event, record, rejecting, failure: EventError.from(reason, "handler-failed", true) };
    }
  }

  function failedOf({ delivery, attempt }: BatchRun, event: CloudEvent | undefined, record: AttemptRecord): Failed {
    return { delivery, attempt, event, registration: undefined, record, handled: false, context: undefined };
  }

  /** Hands over what can be handled, and answers what the handler said of each. */
  async function handle(read: readonly Read[]): Promise<ReadonlyMap<Read, EntryView>> {
    const views = new Map<Read, EntryView>();
    // What another owner has by now is no more handed over.
    const handed = read.filter(
      (each): each is Handed => each.registration !== undefined && !each.run.delivery.signal.aborted,
    );
    const registration = handed[0]?.registration;
    if (!registration) return views;
    const { trust = "continue", correlation = "parent" } = registration.options;
    const sent = handed.map(({ run, event }) => reader.extract({ message: run.delivery.message, event }));
    const span = tracing.active() ? startSpan(handed, sent, trust === "drop") : undefined;
    const context = span ? trace.setSpan(ROOT_CONTEXT, span) : ROOT_CONTEXT;
    const entries = handed.map((each, i): BatchEntry => {
      const { run, event, record } = each;
      let own = trust === "continue" ? sent[i]! : context;
      if (trust === "continue" && correlation === "link") own = span ? trace.setSpan(own, span) : trace.deleteSpan(own);
      const delivery = new EntryView(host, run.delivery, event, (record?.count ?? 0) + 1, own);
      views.set(each, delivery);
      return { event, delivery };
    });
    const view = new BatchView(
      context,
      handed.map(({ run }) => run.delivery),
    );
    const handler = registration.handler as unknown as RawBatchHandler;
    const limited = registration.limit?.start(view.lanes);
    view.limited = limited;
    for (const delivery of views.values()) delivery.limited = limited;
    try {
      const outcome = contextApi.with(context, handler, undefined, entries, view) as Promise<unknown>;
      await (limited && outcome instanceof Promise ? limited.race(outcome) : outcome);
    } catch (reason) {
      for (const delivery of views.values()) delivery.fail(reason);
    }
    limited?.end();
    view.end();
    for (const delivery of views.values()) delivery.end();
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
    { run, event, registration, rejecting, failure, record, over }: Read,
    view: EntryView | undefined,
    repeating: Map<unknown, EventError>,
    startedMs: number | undefined,
  ): BatchResult | Promise<BatchResult> {
    const { delivery, attempt, key } = run;
    if (over) {
      if (startedMs !== undefined) metrics()?.inFlight.add(-1);
      reception.breaker()?.inconclusive();
      return over.result;
    }
    if (registration && !view) {
      if (startedMs !== undefined) metrics()?.inFlight.add(-1);
      reception.breaker()?.inconclusive();
      return undefined; // another owner's
    }
    // What never reached the handler waits for nothing.
    const before = registration ? repeating.get(key) : undefined;
    const reason = before ?? failure ?? view?.failure ?? (view?.request && requested(view.request));
    const count = (): void => countDelivery(reception, delivery, event, reason?.code, startedMs, clock);
    if (before) {
      // It did not count, and so its process did not die with it.
      if (record) void reception.attempts.again(delivery, attempt, record);
      count();
      return "follow";
    }
    if (!reason) {
      if (registration) reception.breaker()?.succeeded();
      else {
        reception.breaker()?.inconclusive();
        reception.count("unhandled", {});
      }
      if (record) reception.attempts.over(delivery);
      reception.settling(delivery.settle({ kind: "ack" }), delivery);
      count();
      return undefined;
    }
    const handled = view !== undefined;
    const context = view?.context;
    const failed = {
      delivery,
      attempt,
      event,
      registration: registration ?? rejecting,
      record,
      request: view?.request,
      handled,
      context,
    };
    const concluded = (result: RunResult): RunResult => {
      if (result) repeating.set(key, reason);
      count();
      return result;
    };
    const result = failing.fail(reason, failed);
    return result instanceof Promise ? result.then(concluded) : concluded(result);
  }
}
