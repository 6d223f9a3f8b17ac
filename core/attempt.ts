import { type Context, context as contextApi, type Span } from "@opentelemetry/api";
import { decodeMessage } from "./codec/detect.ts";
import type { Admitted } from "./delivery/admission.ts";
import { type AttemptRecord, crashLoop } from "./delivery/attempt-log.ts";
import type { LetterReason } from "./delivery/letter.ts";
import { type Claimed, isOutcome, type Once, type OnceOutcome, type OnceSteps, Postponed } from "./delivery/once.ts";
import { brokenOffMs, type Run, type RunResult } from "./delivery/scheduler.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import { type ContextSource, DeliveryView } from "./handler-delivery.ts";
import { openSpan, trusted } from "./received-context.ts";
import type { ReceiverParts } from "./receiver.ts";
import { countDelivery, type Registration } from "./reception.ts";
import { isContextManaged } from "./telemetry/context-manager.ts";
import { endSpan } from "./telemetry/tracing.ts";
import type { Delivery } from "./transport.ts";

const ack = { kind: "ack" } as const;
/** The end after which nothing is to be done again. */
const over = { result: undefined };

/**
 * One attempt at a delivery: admitted, read, claimed, handled, and done or failed. Each step calls the next, at once
 * where nothing has to be waited for: most events wait for their handler alone, and a promise for each step would cost
 * more than the steps.
 */
export class Attempt implements ContextSource {
  readonly #parts: ReceiverParts;
  readonly #run: Run;
  readonly #delivery: Delivery;
  #startedMs: number | undefined;
  /** What is known of the attempts before. */
  #record: AttemptRecord | undefined;
  /** As it was received; then as it is handled. */
  #event: CloudEvent | undefined;
  #received: CloudEvent | undefined;
  #registration: Registration | undefined;
  #span: Span | undefined;
  /** Undefined until somebody asks for it, where nothing has to be active while the handler runs. */
  #context: Context | undefined;
  #view: DeliveryView | undefined;
  #claimed: Claimed | undefined;
  /** The handler is waited for. */
  #isRunning = false;
  #failed: { readonly reason: unknown; readonly why: LetterReason | undefined } | undefined;
  #failure: EventError | undefined;
  #ended: { readonly result: RunResult } | undefined;

  constructor(parts: ReceiverParts, run: Run) {
    this.#parts = parts;
    this.#run = run;
    this.#delivery = run.delivery;
  }

  start(): void {
    this.#step(this.#admit, undefined);
  }

  /** Takes a step and all that follow it, until something has to be waited for or it is over. */
  #step<T>(step: (this: Attempt, value: T) => void, value: T): void {
    this.#take(step, value);
    if (this.#ended) this.#run.over(this.#ended.result);
  }

  /** What throws is the attempt's failure. */
  #take<T>(step: (this: Attempt, value: T) => void, value: T): void {
    try {
      step.call(this, value);
    } catch (reason) {
      this.#take(this.#fail, reason);
    }
  }

  /** The next step, with what is known now or later. */
  #then<T>(value: T | Promise<T>, step: (this: Attempt, value: T) => void): void {
    if (value instanceof Promise) this.#later(value, step);
    else step.call(this, value);
  }

  #later<T>(value: PromiseLike<T>, step: (this: Attempt, value: T) => void): void {
    value.then(
      (known) => this.#step(step, known),
      (reason) => this.#step(this.#fail, reason),
    );
  }

  #admit(): void {
    const { admission, env, reception } = this.#parts;
    const measured = reception.metrics();
    measured?.inFlight.add(1);
    this.#startedMs = measured && env.clock.now();
    if (admission.concerns(this.#delivery, this.#run.attempt)) {
      // What is known of it could not be read: that says nothing about the event.
      const later: Admitted = { result: { retryAfterMs: brokenOffMs } };
      this.#later(
        admission.admit(this.#delivery, this.#run.attempt).catch(() => later),
        this.#admitted,
      );
    } else this.#read();
  }

  #admitted(admitted: Admitted): void {
    if ("record" in admitted) {
      this.#record = admitted.record;
      this.#read();
      return;
    }
    const { reception } = this.#parts;
    reception.metrics()?.inFlight.add(-1);
    reception.breaker()?.inconclusive();
    this.#ended = admitted;
  }

  #read(): void {
    const { env, reader, reception } = this.#parts;
    const { message } = this.#delivery;
    const event = decodeMessage(message, reception.capabilities.binding, env.limits);
    this.#event = event;
    const registration = reception.find(event.type);
    this.#registration = registration;
    if (!registration) {
      this.#unhandled();
      return;
    }
    const { options } = registration;
    if (env.tracing.active()) {
      const opened = openSpan(this.#parts, message, event, options);
      this.#span = opened.span;
      this.#context = opened.context;
    } else {
      this.#received = event;
      if (isContextManaged()) this.#context = this.context();
    }
    this.#then((options.validate ?? true) ? reader.typed(event) : event, this.#claim);
  }

  #unhandled(): void {
    const { reception } = this.#parts;
    if (this.#record && this.#record.count > 0 && reception.letters()) {
      // It was to be tried again, by a handler that has left since.
      const before = this.#record.message;
      const gone = new EventError("handler-failed", `nobody handles it any more; before that: ${before}`);
      this.#fail(gone, "not-retryable");
      return;
    }
    reception.breaker()?.inconclusive();
    reception.count("unhandled", {});
    this.#acknowledge();
  }

  #claim(event: CloudEvent): void {
    const { host, reception } = this.#parts;
    const { once, policy } = this.#registration!;
    const record = this.#record;
    this.#event = event;
    if (record && reception.letters() && record.crashes >= crashLoop * policy.attempts) {
      const died = new EventError("handler-failed", `its process died in ${record.crashes} attempts`);
      this.#fail(died, "crash-loop");
      return;
    }
    if (this.#delivery.signal.aborted) throw anotherOwner();
    const view = new DeliveryView(host, this.#delivery, event, (record?.count ?? 0) + 1, this.#context ?? this);
    this.#view = view;
    if (!once) this.#handle();
    else if (once.steps) this.#then(once.steps.claim(event, view), this.#handleClaimed);
    else this.#handleWithin(once, view);
  }

  #handleClaimed(claimed: Claimed | OnceOutcome): void {
    if (isOutcome(claimed)) {
      this.#finish(claimed);
      return;
    }
    this.#claimed = claimed;
    // Claiming takes its time.
    if (this.#delivery.signal.aborted) throw anotherOwner();
    this.#handle();
  }

  /** Waits for the handler, no longer than its limit. */
  #handle(): void {
    const view = this.#view!;
    const outcome = this.#call(view);
    const pending = outcome instanceof Promise ? outcome : Promise.resolve(outcome);
    this.#isRunning = true;
    const done = (): void => this.#outcome(this.#succeed, undefined);
    const failed = (reason: unknown): void => this.#outcome(this.#fail, reason);
    if (view.limited) view.limited.watch(pending, done, failed);
    else pending.then(done, failed);
  }

  /** The same within the transaction of an inbox, which calls for it. */
  #handleWithin(once: Once, view: DeliveryView): void {
    const work = (transaction: unknown): unknown => {
      if (this.#delivery.signal.aborted) throw anotherOwner();
      view.transaction = transaction as undefined;
      const outcome = this.#call(view);
      return view.limited ? view.limited.race(Promise.resolve(outcome)) : outcome;
    };
    this.#later(
      once.run(this.#event!, view, work, () => view.conclude()),
      this.#finish,
    );
  }

  #call(view: DeliveryView): unknown {
    const { handler, limit } = this.#registration!;
    view.limited = limit?.start(this.#delivery.signal);
    const context = this.#context;
    const event = this.#event!;
    return context ? contextApi.with(context, handler, undefined, event, view) : handler(event, view);
  }

  /** What the sender's context counts for. */
  context(): Context {
    const { reader } = this.#parts;
    const { message } = this.#delivery;
    return trusted(reader.extract({ message, event: this.#received! }), this.#registration!.options);
  }

  /** The first that is told counts: a handler may go on beyond its time. */
  #outcome<T>(step: (this: Attempt, value: T) => void, value: T): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#step(step, value);
  }

  #succeed(): void {
    this.#view!.conclude();
    if (this.#claimed) this.#then(this.#steps.commit(this.#claimed, undefined), this.#finish);
    else this.#finish(undefined);
  }

  get #steps(): OnceSteps {
    return this.#registration!.once!.steps!;
  }

  #finish(outcome: OnceOutcome | undefined): void {
    const { reception } = this.#parts;
    // Committed: whatever comes, it is not given back.
    this.#claimed = undefined;
    if (outcome?.repeated) reception.count("repeated", {});
    reception.breaker()?.succeeded();
    this.#acknowledge();
  }

  #acknowledge(): void {
    const { reception } = this.#parts;
    if (this.#record) reception.attempts.over(this.#delivery);
    reception.settling(this.#delivery.settle(ack), this.#delivery);
    this.#end(undefined);
  }

  #fail(reason: unknown, why?: LetterReason): void {
    // Telemetry threw: that changes no verdict.
    if (this.#ended) return;
    this.#view?.end();
    // Not even its failure could be dealt with.
    if (this.#failed) {
      this.#end({ retryAfterMs: brokenOffMs });
      return;
    }
    this.#failed = { reason, why };
    if (this.#claimed) this.#later(this.#steps.release(this.#claimed), this.#decide);
    else this.#decide();
  }

  /** Decides what becomes of it. */
  #decide(): void {
    const { failing } = this.#parts;
    const { reason, why } = this.#failed!;
    const failed = {
      delivery: this.#delivery,
      attempt: this.#run.attempt,
      event: this.#event,
      registration: this.#registration,
      record: this.#record,
      request: this.#view?.request,
      handled: this.#view !== undefined,
      context: this.#context,
    };
    const failure = reason instanceof Postponed ? undefined : EventError.from(reason, "handler-failed", true);
    this.#failure = failure;
    this.#then(why ? failing.giveUp(why, failure!, failed) : failing.fail(failure ?? reason, failed), this.#end);
  }

  #end(result: RunResult): void {
    const { env, reception } = this.#parts;
    this.#ended = result ? { result } : over;
    endSpan(this.#span, this.#failure);
    countDelivery(reception, this.#delivery, this.#event, this.#failure?.code, this.#startedMs, env.clock);
  }
}

/** Of a delivery whose lane went away before its handler was called. */
function anotherOwner(): Postponed {
  return new Postponed("the lane has another owner", 0);
}
