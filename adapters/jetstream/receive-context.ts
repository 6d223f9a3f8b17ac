import type { Clock } from "../../core/clock.ts";
import type { TransportSubscription } from "../../core/transport.ts";
import type { Link } from "../nats/link.ts";
import type { Api } from "./api.ts";
import type { LivenessCheck } from "./liveness.ts";
import type { JetStreamTransportOptions } from "./options.ts";
import type { Partitions } from "./partitions.ts";

/** What everything that consumes, reads or provides streams works with. */
export interface ReceiveContext {
  readonly options: JetStreamTransportOptions;
  readonly link: Link;
  readonly clock: Clock;
  readonly api: Api;
  readonly alive: LivenessCheck;
  readonly partitions: Partitions;
  readonly heartbeatMs: number;
  /** Makes a subject of its own for answers. */
  inbox(): string;
  /** Everything that runs, for the transport's close. */
  readonly running: Set<TransportSubscription>;
}
