import type { Catalog } from "./catalog.ts";
import type { OnDemand } from "./on-demand.ts";
import type { PublishFunction, WaitOptions } from "./options.ts";
import type { Rest } from "./rest.ts";
import { keepContext } from "./telemetry/keep-context.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";

/** Options of `bus.batch`. */
export interface BatchOptions {
  /** Events of one batch, at most. Default: 500. */
  readonly maxEvents?: number;
  /** Size of one batch, at most, in bytes of encoded events. One that is larger goes alone. Default: 1 MiB. */
  readonly maxBytes?: number;
  /** How long an event waits for others. Default: 5. */
  readonly lingerMs?: number;
  /** Events that may wait for their batch. Default: 10,000. */
  readonly maxBuffered?: number;
  /** Batches on their way at once; more wait. Default: 4. */
  readonly maxInFlight?: number;
  /**
   * What happens to an event beyond `maxBuffered`: it waits for room, it is rejected, or it takes the place of the
   * oldest one, which is rejected; both with code `buffer-full`. Default: `wait`.
   */
  readonly whenFull?: "wait" | "reject" | "drop-oldest";
}

/** Collects events and publishes them together. */
export interface EventBatch<C extends Catalog = Catalog> {
  /**
   * Adds one event; resolves when the broker has stored it. Each event is settled by itself, and events of one key
   * leave in the order in which they were added. A signal or time-out gives up this event alone.
   */
  readonly add: PublishFunction<C>;
  /** Sends what was added so far at once; resolves when all of it is settled. */
  flush(options?: WaitOptions): Promise<void>;
  /** Takes nothing more and flushes; after the deadline what still waits is rejected with `closed` and counted. */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** As `close` with its default deadline: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The batch of a bus whose code may still have to be loaded: calls made meanwhile keep their order. */
export function openBatch(rest: OnDemand<Rest>, options: BatchOptions): EventBatch {
  let batch: Record<string, (...given: unknown[]) => unknown> | undefined;
  const later =
    (name: string) =>
    (...given: unknown[]): unknown =>
      batch
        ? batch[name]!(...given)
        : rest.load().then(
            keepContext((loaded) => {
              batch ??= loaded.batch(options) as unknown as NonNullable<typeof batch>;
              return batch[name]!(...given);
            }),
          );
  const close = later("close");
  return { add: later("add"), flush: later("flush"), close, [Symbol.asyncDispose]: close } as EventBatch;
}
