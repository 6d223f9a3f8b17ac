import type { BatchLimits } from "./batch-options.ts";
import type { DeadLetterOptions } from "./delivery/dead-letters.ts";
import type { CircuitBreakerOptions } from "./options.ts";

/** Where one transport subscription listens, and how its deliveries run. */
export interface Listening {
  readonly transport: string;
  readonly destinations: readonly string[];
  readonly group: string | undefined;
  readonly from: string;
  readonly concurrency: number;
  readonly byKey: boolean;
  /** Set where the handler takes batches; it has no other handler beside it. */
  readonly batch: BatchLimits | undefined;
  /** Undefined: what is given up is reported and dropped. */
  readonly deadLetter: DeadLetterOptions | undefined;
  readonly breaker: CircuitBreakerOptions | undefined;
  /** Whether some wait may move to `<destination>.retry`. */
  readonly escalates: boolean;
}
