import type { Context } from "@opentelemetry/api";
import type { BatchDelivery, EntryDelivery } from "./batch-options.ts";
import type { LimitedRun } from "./delivery/time-limit.ts";
import { EventError } from "./errors.ts";
import { DeliveryView } from "./handler-delivery.ts";
import type { Delivery } from "./transport.ts";

/** A delivery of a batch as its handler sees it. */
export class EntryView extends DeliveryView implements EntryDelivery {
  /** What the handler gave as the reason that this event failed. */
  failure: EventError | undefined;

  fail(reason: unknown): void {
    this.failure ??= EventError.from(reason, "handler-failed", true);
  }
}

/** A batch as its handler sees it. */
export class BatchView implements BatchDelivery {
  readonly context: Context;
  readonly #deliveries: readonly Delivery[];
  #controller: AbortController | undefined;
  #stop: (() => void) | undefined;

  constructor(context: Context, deliveries: readonly Delivery[]) {
    this.context = context;
    this.#deliveries = deliveries;
  }

  /** Set while the time of the batch is limited. */
  limited: LimitedRun | undefined;

  get signal(): AbortSignal {
    return this.limited?.signal ?? this.lanes;
  }

  /** Aborts with any lane. Made when it is asked for: most handlers do not. */
  get lanes(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const lanes = new Set(this.#deliveries.map(({ signal }) => signal));
    const onAbort = (): void => controller.abort([...lanes].find(({ aborted }) => aborted)?.reason);
    for (const lane of lanes) lane.addEventListener("abort", onAbort, { once: true });
    this.#stop = () => {
      for (const lane of lanes) lane.removeEventListener("abort", onAbort);
    };
    if ([...lanes].some(({ aborted }) => aborted)) onAbort();
    return controller.signal;
  }

  extend(): void {
    for (const delivery of this.#deliveries) delivery.extend();
  }

  /** The handler has ended: lanes outlive batches. */
  end(): void {
    this.#stop?.();
  }
}
