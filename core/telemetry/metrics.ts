import {
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  type MeterProvider,
  type MetricOptions,
  metrics,
} from "@opentelemetry/api";
import type { TransportHealth } from "../transport.ts";

/** Answers instruments, or undefined while no meter provider is registered. */
export type Instruments<T> = () => T | undefined;

/** A histogram in seconds, with the buckets that the semantic conventions advise. */
export const seconds: MetricOptions = {
  unit: "s",
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
};

/** A count of messages. */
export const messages: MetricOptions = { unit: "{message}" };

/**
 * Instruments of the given provider, or of the global one. The API has no proxy for meters, so they
 * are made when first asked for, and again when the global provider has changed.
 */
export function instruments<T>(given: MeterProvider | undefined, make: (meter: Meter) => T): Instruments<T> {
  let last: MeterProvider | undefined;
  let made: T | undefined;
  return () => {
    const provider = given ?? metrics.getMeterProvider();
    if (provider !== last) {
      last = provider;
      const meter = provider.getMeter("waybill");
      made = meter === createNoopMeter() ? undefined : make(meter);
    }
    return made;
  };
}

/** What publishing measures. */
export interface PublishInstruments {
  /** `messaging.client.operation.duration`, in seconds */
  readonly operation: Histogram;
  /** `messaging.client.sent.messages` */
  readonly sent: Counter;
  /** `eventbus.publish.count`, of the guide */
  readonly published: Counter;
  /** `eventbus.publish.duration`, of the guide, in milliseconds */
  readonly publishDuration: Histogram;
}

/** Makes the instruments of publishing, and the gauge `waybill.buffer.messages` beside them. */
export function publishInstruments(
  meter: Meter,
  health: () => Readonly<Record<string, TransportHealth>>,
): PublishInstruments {
  meter.createObservableGauge("waybill.buffer.messages", messages).addCallback((result) => {
    for (const [transport, { buffered }] of Object.entries(health())) result.observe(buffered, { transport });
  });
  return {
    operation: meter.createHistogram("messaging.client.operation.duration", seconds),
    sent: meter.createCounter("messaging.client.sent.messages", messages),
    published: meter.createCounter("eventbus.publish.count"),
    publishDuration: meter.createHistogram("eventbus.publish.duration", { unit: "ms" }),
  };
}
