import type { RunResult } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import type { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";
import type { HandlerDelivery, SubscribeOptions } from "./options.ts";
import type { ConsumeInstruments } from "./telemetry/consumer-metrics.ts";
import type { Instruments } from "./telemetry/metrics.ts";
import type { Capabilities, Delivery, Verdict } from "./transport.ts";

/** What a subscription runs for an event. */
export type RawHandler = (event: CloudEvent, delivery: HandlerDelivery) => unknown;

/** A handler with the options that are its own. */
export interface Registration {
  readonly pattern: string;
  /** Of batches where the listening says so. */
  readonly handler: RawHandler;
  readonly options: Omit<SubscribeOptions, "batch">;
}

/** Where deliveries come from and who takes them. */
export interface Reception {
  readonly transport: string;
  readonly capabilities: Capabilities;
  readonly destinations: readonly string[];
  readonly group: string | undefined;
  readonly metrics: Instruments<ConsumeInstruments>;
  /** Whether failed deliveries are repeated in place, so that their key keeps its order. */
  readonly inPlace: boolean;
  find(type: string): Registration | undefined;
  /** Counts a verdict that the transport has not confirmed yet. */
  settling(verdict: Promise<void>, delivery: Delivery): void;
}

/** Ends deliveries: verdict, report and measurements. */
export interface Outcomes {
  ack(delivery: Delivery): void;
  /** Reports a failure. Retryable ones come again where the transport can; the rest is done with. */
  fail(failure: EventError, delivery: Delivery, attempt: number, event: CloudEvent | undefined): RunResult;
  /** Counts a delivery that was worked on since `startedMs`. */
  count(delivery: Delivery, event: CloudEvent | undefined, failure: EventError | undefined, startedMs: number): void;
}

/** Pause before a failed delivery comes again. */
const retryDelayMs = 1000;

/** Makes what ends the deliveries of a reception. */
export function createOutcomes({ clock, report }: Environment, reception: Reception): Outcomes {
  const { capabilities, group, inPlace, metrics, transport } = reception;

  function settle(delivery: Delivery, verdict: Verdict): void {
    reception.settling(delivery.settle(verdict), delivery);
  }

  return {
    ack: (delivery) => settle(delivery, { kind: "ack" }),

    fail(failure, delivery, attempt, event) {
      const { message, position, signal } = delivery;
      report(failure, { transport, destination: message.destination, position, attempt, event });
      if (signal.aborted) return undefined; // not ours any more: the next owner gets it
      // What failed because something else was closed or given up is no fault of the event.
      const again = failure.retryable || failure.code === "closed" || failure.code === "aborted";
      if (!again || !capabilities.redelivery) settle(delivery, { kind: "reject", reason: failure.code });
      else if (inPlace) return { retryAfterMs: retryDelayMs };
      else settle(delivery, { kind: "retry", delayMs: retryDelayMs });
      return undefined;
    },

    count({ message: { destination } }, event, failure, startedMs) {
      const made = metrics();
      if (!made) return;
      const attributes: Record<string, string> = {
        "messaging.operation.name": "process",
        "messaging.system": capabilities.system,
      };
      if (reception.destinations.includes(destination)) attributes["messaging.destination.name"] = destination;
      if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
      if (failure) attributes["error.type"] = failure.code;
      const now = clock.now();
      made.inFlight.add(-1);
      made.consumed.add(1, attributes);
      made.process.record((now - startedMs) / 1000, attributes);
      const sentMs = event?.time === undefined ? Number.NaN : Date.parse(event.time);
      if (!failure && sentMs > 0 && sentMs <= now) made.latency.record((now - sentMs) / 1000, attributes);
    },
  };
}
