import type { Context } from "@opentelemetry/api";
import type { Catalog, EventOf } from "./catalog.ts";
import { EventError } from "./errors.ts";
import type { HandlerDelivery, SubscribeOptions } from "./options.ts";

/** When a batch is handed over: as soon as it is full, or its first event has waited long enough. */
export interface BatchLimits {
  /** Most events of a batch, from 1 to 65,536. */
  readonly maxEvents: number;
  /** Longest wait of the first event of a batch for others, in milliseconds, from 0 to 2,147,483,647. */
  readonly maxWaitMs: number;
}

/** Options of `subscribe` for a handler that takes batches. */
export interface BatchSubscribeOptions<Name extends string = string> extends Omit<SubscribeOptions<Name>, "batch"> {
  /** `concurrency` is then how many batches may be handled at once. */
  readonly batch: BatchLimits;
}

/** What a handler may know and do beside one event of a batch. */
export interface EntryDelivery<C extends Catalog = Catalog> extends HandlerDelivery<C> {
  /**
   * Fails this event alone, as if a handler of its own had thrown `reason`; the others of the batch are not
   * touched. The first call counts, and none after the handler has ended.
   */
  fail(reason: unknown): void;
}

/** One event of a batch, of the types that `P` matches. */
export interface BatchEntry<C extends Catalog = Catalog, P extends string = string> {
  /** Decoded and, unless `validate` is false, checked by the catalog's schema. */
  readonly event: EventOf<C, P>;
  /** What to know and do about this event alone, `fail` included. */
  readonly delivery: EntryDelivery<C>;
}

/** What a handler may know and do beside a batch as a whole. */
export interface BatchDelivery {
  /** Aborts when the lane of any event of the batch goes to another member. */
  readonly signal: AbortSignal;
  /** The OpenTelemetry context of the batch. That of an event is `entry.delivery.context`. */
  readonly context: Context;
  /** Tells the transport that work on every event of the batch goes on. */
  extend(): void;
}

/** Throws `invalid-option` unless both limits are within their bounds. */
export function checkBatchLimits({ maxEvents, maxWaitMs }: BatchLimits): void {
  if (!Number.isInteger(maxEvents) || maxEvents < 1 || maxEvents > 65_536) {
    throw new EventError("invalid-option", `batch.maxEvents must be a whole number from 1 to 65536, not ${maxEvents}`);
  }
  if (!(maxWaitMs >= 0 && maxWaitMs <= 2_147_483_647)) {
    throw new EventError("invalid-option", `batch.maxWaitMs must be from 0 to 2147483647, not ${maxWaitMs}`);
  }
}
