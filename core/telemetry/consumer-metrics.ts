import type { Counter, Histogram, Meter, UpDownCounter } from "@opentelemetry/api";
import type { CircuitState } from "../delivery/circuit-breaker.ts";
import type { Happening } from "../reception.ts";
import type { TransportSubscription } from "../transport.ts";
import { messages, seconds } from "./metrics.ts";

/** What consuming measures. Durations in seconds. */
export interface ConsumeInstruments {
  /** `messaging.client.consumed.messages` */
  readonly consumed: Counter;
  /** `messaging.process.duration` */
  readonly process: Histogram;
  /** `waybill.delivery.latency`: from the event's time to the end of its handler */
  readonly latency: Histogram;
  /** `waybill.delivery.in_flight` */
  readonly inFlight: UpDownCounter;
  /** Counters of what happens beside the handling, by name. */
  readonly happened: Readonly<Record<Happening, Counter>>;
}

const levels = { closed: 0, "half-open": 1, open: 2 } as const;

/** A group and what is subscribed for it. */
export interface Observed {
  readonly group: string | undefined;
  readonly transport: string;
  /** Undefined: the subscription has none. */
  readonly breaker: CircuitState | undefined;
  readonly subscription: TransportSubscription | undefined;
}

/** Makes the instruments of consuming, and the gauges `waybill.consumer.lag` and `waybill.consumer.breaker.state`. */
export function consumeInstruments(meter: Meter, observed: () => Iterable<Observed>): ConsumeInstruments {
  meter.createObservableGauge("waybill.consumer.lag", messages).addCallback(async (result) => {
    for (const { group = "", subscription } of observed()) {
      for (const { lane, messages: behind } of (await subscription?.lag()) ?? []) {
        result.observe(behind, { "messaging.consumer.group.name": group, lane });
      }
    }
  });
  meter.createObservableGauge("waybill.consumer.breaker.state").addCallback((result) => {
    for (const { group = "", transport, breaker } of observed()) {
      if (breaker) result.observe(levels[breaker], { "messaging.consumer.group.name": group, backend: transport });
    }
  });
  return {
    consumed: meter.createCounter("messaging.client.consumed.messages", messages),
    process: meter.createHistogram("messaging.process.duration", seconds),
    latency: meter.createHistogram("waybill.delivery.latency", seconds),
    inFlight: meter.createUpDownCounter("waybill.delivery.in_flight", messages),
    happened: {
      // Settled without a handler for their type.
      unhandled: meter.createCounter("waybill.delivery.unhandled", messages),
      retry: meter.createCounter("waybill.delivery.retries", messages),
      "dead-letter": meter.createCounter("waybill.delivery.dead_letters", messages),
      // Handled before, and so not again.
      repeated: meter.createCounter("waybill.delivery.repeated", messages),
      // Copies for another group.
      "other-group": meter.createCounter("waybill.delivery.other_group", messages),
    },
  };
}
