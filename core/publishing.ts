import { type BatchEvents, BusBatch } from "./batching.ts";
import { createChains } from "./chains.ts";
import type { Environment } from "./environment.ts";
import type { EventError } from "./errors.ts";
import type { BatchOptions, EventBatch } from "./event-batch.ts";
import type { PublishItem, Receipt, WaitOptions } from "./options.ts";
import type { Outbound } from "./outgoing.ts";
import { createPublishAll } from "./publish-all.ts";
import { createPublishRetry } from "./publish-retry.ts";
import type { Publisher, SendOptions } from "./publisher.ts";
import { sumReports } from "./report.ts";
import type { Plan } from "./routing.ts";
import { instruments, messages } from "./telemetry/metrics.ts";
import type { CloseOptions, CloseReport } from "./transport.ts";

/** What publishing can do beside sending one event to one transport. */
export interface Publishing {
  publishAll(items: readonly PublishItem[], options?: WaitOptions): Promise<(Receipt | EventError)[]>;
  /** Sends one event along its fallback chain, or several times. */
  sendAlong(plan: Plan, data: unknown, options: SendOptions): Promise<Receipt>;
  batch(options: BatchOptions): EventBatch;
  /** Closes every open batch. */
  close(options: CloseOptions): Promise<CloseReport>;
}

/** Makes that part of publishing. */
export function createPublishing(env: Environment, outbound: Outbound, publisher: Publisher): Publishing {
  const chains = createChains(env, outbound, publisher);
  const transmit = createPublishAll(env, outbound, publisher, chains);
  const retrying = createPublishRetry(env, publisher.send);
  const batches = new Set<BusBatch>();
  const metrics = instruments(env.meterProvider, (meter) => {
    meter.createObservableGauge("waybill.batch.waiting", messages).addCallback((result) => {
      result.observe(Array.from(batches).reduce((sum, { waiting }) => sum + waiting, 0));
    });
    return {
      size: meter.createHistogram("waybill.batch.size", messages),
      refused: meter.createCounter("waybill.batch.refused", messages),
    };
  });
  const events: BatchEvents = {
    sent: (count) => metrics()?.size.record(count),
    refused: (policy) => metrics()?.refused.add(1, { policy }),
    closed: (batch) => void batches.delete(batch),
  };
  return {
    publishAll: transmit.publishAll,
    sendAlong: (plan, data, options) => (options.retry ? retrying : chains.send)(plan, data, options),
    batch(options) {
      env.checkOpen();
      const batch = new BusBatch(env, transmit, events, options);
      batches.add(batch);
      return batch;
    },
    async close(options) {
      const closed = await Promise.all(Array.from(batches, (batch) => batch.shut(options)));
      return sumReports(closed.map(({ cutOff }) => ({ unsent: cutOff, unsettled: 0 })));
    },
  };
}
