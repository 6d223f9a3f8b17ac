import type { Clock } from "./clock.ts";
import type { AttemptLog } from "./delivery/attempt-log.ts";
import type { DeadLetters } from "./delivery/dead-letters.ts";
import type { HandlerBreaker } from "./delivery/handler-breaker.ts";
import type { Once } from "./delivery/once.ts";
import type { ParkedKeys } from "./delivery/parked-keys.ts";
import type { RetryDestination } from "./delivery/retry-destination.ts";
import type { RetryPolicy } from "./delivery/retry-policy.ts";
import type { TimeLimit } from "./delivery/time-limit.ts";
import type { CloudEvent } from "./event.ts";
import type { HandlerDelivery, SubscribeOptions } from "./options.ts";
import type { ConsumeInstruments } from "./telemetry/consumer-metrics.ts";
import type { Instruments } from "./telemetry/metrics.ts";
import type { Capabilities, Delivery } from "./transport.ts";

/** What a subscription runs for an event. */
export type RawHandler = (event: CloudEvent, delivery: HandlerDelivery) => unknown;

/** A handler with the options that are its own. */
export interface Registration {
  readonly pattern: string;
  /** Of batches where the listening says so. */
  readonly handler: RawHandler;
  readonly options: Omit<SubscribeOptions<string, never>, "batch">;
  /** What becomes of its failures. */
  readonly policy: RetryPolicy;
  /** Set where attempts have a limit. */
  readonly limit?: TimeLimit | undefined;
  /** Set where events are handled once. */
  readonly once?: Once | undefined;
}

/** What is counted beside the handling itself. */
export type Happening = "unhandled" | "retry" | "dead-letter" | "repeated" | "other-group";

/** Where deliveries come from and who takes them. What is a function is known only once the subscription is open. */
export interface Reception {
  readonly transport: string;
  readonly capabilities: Capabilities;
  readonly destinations: readonly string[];
  readonly group: string | undefined;
  readonly metrics: Instruments<ConsumeInstruments>;
  /** Whether failed deliveries are repeated in place, so that their key keeps its order, or because nothing else repeats them. */
  readonly inPlace: boolean;
  /** Whether what waits in place holds up what lies behind it, so that no wait may be long. */
  readonly holdsUp: boolean;
  readonly attempts: AttemptLog;
  find(type: string): Registration | undefined;
  /** The policy of a handler, or of what no handler takes. */
  policy(registration: Registration | undefined): RetryPolicy;
  letters(): DeadLetters | undefined;
  parked(): ParkedKeys | undefined;
  retries(): RetryDestination | undefined;
  breaker(): HandlerBreaker | undefined;
  closing(): boolean;
  /** Counts a verdict that the transport has not confirmed yet. */
  settling(verdict: Promise<void>, delivery: Delivery): void;
  count(what: Happening, attributes: Readonly<Record<string, string>>): void;
}

/**
 * Counts a delivery that was worked on since `startedMs`, which is undefined where nobody measured then. `error` is the
 * code of what failed.
 */
export function countDelivery(
  reception: Reception,
  { message: { destination } }: Delivery,
  event: CloudEvent | undefined,
  error: string | undefined,
  startedMs: number | undefined,
  clock: Clock,
): void {
  const { capabilities, destinations, group, metrics } = reception;
  const made = metrics();
  if (!made || startedMs === undefined) return;
  const now = clock.now();
  const attributes: Record<string, string> = {
    "messaging.operation.name": "process",
    "messaging.system": capabilities.system,
  };
  if (destinations.includes(destination)) attributes["messaging.destination.name"] = destination;
  if (group !== undefined) attributes["messaging.consumer.group.name"] = group;
  if (error !== undefined) attributes["error.type"] = error;
  made.inFlight.add(-1);
  made.consumed.add(1, attributes);
  made.process.record((now - startedMs) / 1000, attributes);
  const sentMs = event?.time === undefined ? Number.NaN : Date.parse(event.time);
  if (error === undefined && sentMs > 0 && sentMs <= now) made.latency.record((now - sentMs) / 1000, attributes);
}
