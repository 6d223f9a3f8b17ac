import { Attempt } from "./attempt.ts";
import type { Admission } from "./delivery/admission.ts";
import type { Failing } from "./delivery/failing.ts";
import type { RunResult } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import type { DeliveryHost } from "./handler-delivery.ts";
import type { Reader } from "./reader.ts";
import type { Reception } from "./reception.ts";
import type { Delivery } from "./transport.ts";

/** What a receiver is made of. */
export interface ReceiverParts {
  readonly env: Environment;
  readonly host: DeliveryHost;
  readonly reader: Reader;
  readonly reception: Reception;
  readonly admission: Admission;
  readonly failing: Failing;
}

/** Makes the function that takes one delivery from message to verdict, and calls `over` then. */
export function createReceiver(
  parts: ReceiverParts,
): (delivery: Delivery, attempt: number, over: (result: RunResult) => void) => void {
  return (delivery, attempt, over) => new Attempt(parts, delivery, attempt, over).start();
}
