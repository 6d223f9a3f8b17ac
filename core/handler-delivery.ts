import type { Context } from "@opentelemetry/api";
import type { CloudEvent } from "./event.ts";
import type { HandlerDelivery, PublishOptions, Receipt, WaitOptions } from "./options.ts";
import type { Publisher } from "./publisher.ts";
import type { Delivery } from "./transport.ts";

/** A delivery as its handler sees it. */
export class DeliveryView implements HandlerDelivery {
  readonly #delivery: Delivery;
  readonly #event: CloudEvent;
  readonly #publish: Publisher["publish"];
  readonly attempt: number;
  #context: Context | (() => Context);

  /** `context` may be a function: it is called when the context is asked for. */
  constructor(
    delivery: Delivery,
    event: CloudEvent,
    attempt: number,
    context: Context | (() => Context),
    publish: Publisher["publish"],
  ) {
    this.#delivery = delivery;
    this.#event = event;
    this.attempt = attempt;
    this.#context = context;
    this.#publish = publish;
  }
  get context(): Context {
    if (typeof this.#context === "function") this.#context = this.#context();
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
