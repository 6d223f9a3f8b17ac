import {
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  type UpDownCounter,
} from "@opentelemetry/api";

/** Every instrument of Waybill. Durations in seconds, but for the guide's in milliseconds. */
export interface Instruments {
  /** `messaging.client.operation.duration` */
  readonly operation: Histogram;
  /** `messaging.client.sent.messages` */
  readonly sent: Counter;
  /** `messaging.client.consumed.messages` */
  readonly consumed: Counter;
  /** `messaging.process.duration` */
  readonly process: Histogram;
  /** `eventbus.publish.count`, of the guide */
  readonly published: Counter;
  /** `eventbus.publish.duration`, of the guide, in ms */
  readonly publishDuration: Histogram;
  /** `waybill.delivery.latency`: from the event's time to the end of its handler */
  readonly latency: Histogram;
  /** `waybill.delivery.in_flight` */
  readonly inFlight: UpDownCounter;
  /** `waybill.delivery.unhandled`: settled without a handler for their type */
  readonly unhandled: Counter;
}

/** Observes gauges when the meter collects. */
export type Gauges = (
  observe: (name: "buffer" | "lag", value: number, attributes: Record<string, string>) => void,
) => Promise<void>;

/** Answers the instruments, or undefined while no meter provider is registered. */
export type Metrics = () => Instruments | undefined;

// The advice of the semantic conventions for both messaging histograms.
const advice = {
  explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
};

/**
 * Instruments of the given provider, or of the global one. The API has no proxy for meters, so they
 * are made when first asked for, and again when the global provider has changed.
 */
export function createMetrics(given: MeterProvider | undefined, gauges: Gauges): Metrics {
  let last: MeterProvider | undefined;
  let instruments: Instruments | undefined;
  return () => {
    const provider = given ?? metrics.getMeterProvider();
    if (provider !== last) {
      last = provider;
      const meter = provider.getMeter("waybill");
      instruments = meter === createNoopMeter() ? undefined : make(meter, gauges);
    }
    return instruments;
  };
}

function make(meter: Meter, gauges: Gauges): Instruments {
  const seconds = { unit: "s", advice };
  const messages = { unit: "{message}" };
  const buffer = meter.createObservableGauge("waybill.buffer.messages", messages);
  const lag = meter.createObservableGauge("waybill.consumer.lag", messages);
  meter.addBatchObservableCallback(
    (result) => gauges((name, value, attributes) => result.observe(name === "lag" ? lag : buffer, value, attributes)),
    [buffer, lag],
  );
  return {
    operation: meter.createHistogram("messaging.client.operation.duration", seconds),
    sent: meter.createCounter("messaging.client.sent.messages", messages),
    consumed: meter.createCounter("messaging.client.consumed.messages", messages),
    process: meter.createHistogram("messaging.process.duration", seconds),
    published: meter.createCounter("eventbus.publish.count"),
    publishDuration: meter.createHistogram("eventbus.publish.duration", { unit: "ms" }),
    latency: meter.createHistogram("waybill.delivery.latency", seconds),
    inFlight: meter.createUpDownCounter("waybill.delivery.in_flight", messages),
    unhandled: meter.createCounter("waybill.delivery.unhandled", messages),
  };
}
