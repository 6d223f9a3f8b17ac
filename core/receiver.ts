import { Attempt } from "./attempt.ts";
import type { Admission } from "./delivery/admission.ts";
import type { Failing } from "./delivery/failing.ts";
import type { Run } from "./delivery/scheduler.ts";
import type { Environment } from "./environment.ts";
import type { DeliveryHost } from "./handler-delivery.ts";
import type { Reader } from "./reader.ts";
import type { Reception } from "./reception.ts";

/** What a receiver is made of. */
export interface ReceiverParts {
  readonly env: Environment;
  readonly host: DeliveryHost;
  readonly reader: Reader;
  readonly reception: Reception;
  readonly admission: Admission;
  readonly failing: Failing;
}

/** Makes the function that takes one delivery from message to verdict. */
export function createReceiver(parts: ReceiverParts): (run: Run) => void {
  return (run) => new Attempt(parts, run).start();
}
