import type { Context } from "@opentelemetry/api";
import type { Request } from "./delivery/failing.ts";
import { longestWaitMs } from "./delivery/retry-policy.ts";
import type { LimitedRun } from "./delivery/time-limit.ts";
import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import type { HandlerDelivery, PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Publisher } from "./publisher.ts";
import type { Delivery } from "./transport.ts";

/** What the deliveries of a subscription have in common. */
export interface DeliveryHost {
  readonly publish: Publisher["publish"];
  readonly group: string | undefined;
  /** Whether there are dead letters. */
  deadLetters(): boolean;
}

/** Knows a context that nobody may ask for. */
export interface ContextSource {
  context(): Context;
}

/** A delivery as its handler sees it. */
export class DeliveryView implements HandlerDelivery {
  readonly #host: DeliveryHost;
  readonly #delivery: Delivery;
  readonly #event: CloudEvent;
  readonly attempt: number;
  /** What the handler asked for. */
  request: Request | undefined;
  /** Set while the time of the attempt is limited. */
  limited: LimitedRun | undefined;
  /** Set while an inbox runs the handler in its transaction. */
  transaction: undefined;
  readonly #source: Context | ContextSource;
  #context: Context | undefined;
  #ended = false;

  /** A source is asked when the context is. */
  constructor(
    host: DeliveryHost,
    delivery: Delivery,
    event: CloudEvent,
    attempt: number,
    context: Context | ContextSource,
  ) {
    this.#host = host;
    this.#delivery = delivery;
    this.#event = event;
    this.attempt = attempt;
    this.#source = context;
  }
  get context(): Context {
    this.#context ??= "getValue" in this.#source ? this.#source : this.#source.context();
    return this.#context;
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
  get group(): string | undefined {
    return this.#host.group;
  }
  get signal(): AbortSignal {
    return this.limited?.signal ?? this.#delivery.signal;
  }
  extend(): void {
    this.#delivery.extend();
  }
  retryAfter(delayMs: number): void {
    if (!(delayMs >= 0)) throw new EventError("invalid-option", `retryAfter: at least 0 ms, not ${delayMs}`);
    // Dates parsed wrongly and servers that say "never": cut, since a timer beyond its bound fires at once.
    if (!this.#isOver) this.request ??= { kind: "retry", delayMs: Math.min(longestWaitMs, delayMs) };
  }
  deadLetter(reason: string): void {
    if (!this.#host.deadLetters()) {
      // Retryable: the mistake is the subscription's, and must not cost the event.
      throw new EventError("unsupported", "this subscription has no dead letters", { retryable: true });
    }
    if (!this.#isOver) this.request ??= { kind: "dead-letter", reason };
  }
  /** Also where it goes on beyond its time. */
  get #isOver(): boolean {
    return this.#ended || this.limited?.isLate === true;
  }
  /** The handler has ended: from now on it asks for nothing. */
  end(): void {
    this.#ended = true;
    this.limited?.end();
  }
  /** As {@link end} where it ended well. Throws what it asked for: what is to be done again is not done. */
  conclude(): undefined {
    this.end();
    if (this.request) throw requested(this.request);
  }
  publish(type: string, data: unknown, options: PublishOptions & WaitOptions = {}): Promise<Receipt> {
    const { id, extensions } = this.#event;
    const chain = { correlationid: extensions.correlationid ?? id, causationid: id };
    return this.#host.publish(type, data, {
      context: this.context,
      ...options,
      extensions: { ...chain, ...options.extensions },
    });
  }
}

/** The failure of an attempt that ended well, but for what its handler asked for. */
export function requested(request: Request): EventError {
  return request.kind === "retry"
    ? new EventError("handler-failed", `the handler asks for the next attempt after ${request.delayMs} ms`, {
        retryable: true,
      })
    : new EventError("handler-failed", request.reason);
}
