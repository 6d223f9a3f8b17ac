import type { Clock } from "../../core/clock.ts";
import type { EventError } from "../../core/errors.ts";
import type { natsError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { HoldLimits, NatsTransportOptions } from "./options.ts";
import type { NatsConsumer } from "./subscription.ts";

/**
 * What everything that receives works with. Functions and the error's class come along instead of being imported: what
 * two chunks share a bundler puts into a third one, which every page would have to load.
 */
export interface ReceiveContext {
  readonly options: NatsTransportOptions;
  readonly link: Link;
  readonly clock: Clock;
  readonly holds: HoldLimits;
  readonly EventError: typeof EventError;
  readonly natsError: typeof natsError;
  /** Everything that runs, for the transport's close. */
  readonly consumers: Set<NatsConsumer>;
}
