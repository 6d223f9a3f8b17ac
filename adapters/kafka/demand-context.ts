import type { KafkaSettings } from "./options.ts";
import type { StatusBoard } from "./status.ts";

/** Something that runs on its own and ends with the transport. */
export interface Running {
  /** Ends it. Answers how many messages were accepted and are not stored. */
  close(timeoutMs: number): Promise<number>;
}

/** What everything that is loaded on demand shares with the transport. */
export interface DemandContext {
  readonly settings: KafkaSettings;
  readonly status: StatusBoard;
  /** Whoever adds itself is closed with the transport. */
  readonly running: Set<Running>;
}
