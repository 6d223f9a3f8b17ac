import type { CloudEvent } from "../event.ts";

/** An event as the outbox writes it down. */
export interface OutboxDraft {
  /** The event in the JSON format of CloudEvents. */
  readonly event: string;
  /** For people who look into the store. */
  readonly eventId: string;
  /** For people who look into the store. */
  readonly type: string;
  /** Rows of one key are published in their order. */
  readonly key: string | undefined;
  /** Undefined: where the bus sends the type. */
  readonly destination: string | undefined;
  /** Undefined: the one to which the bus routes the type. */
  readonly transport: string | undefined;
  /** The context of the caller as headers, in JSON. */
  readonly context: string | undefined;
}

/** A row that waits to be published. */
export interface OutboxRow extends OutboxDraft {
  /** Its own; rows of one key have them in the order in which they were added. */
  readonly id: string;
  /** How often publishing it has failed. */
  readonly attempts: number;
  /** How many of these failures no repetition will mend. */
  readonly refusals: number;
}

/** A row that was given up. */
export interface FailedRow extends OutboxRow {
  /** Code and message of the last failure. */
  readonly error: string;
}

/** A row that was given up. */
export interface FailedEvent {
  /** Of the row, for {@link Outbox.retry} and {@link Outbox.discard}. */
  readonly rowId: string;
  /** Undefined when it cannot be read. */
  readonly event: CloudEvent | undefined;
  /** How often publishing it failed. */
  readonly attempts: number;
  /** Code and message of the last failure. */
  readonly error: string;
}

/** What waits in an outbox. */
export interface OutboxStats {
  /** Rows that are not published yet. */
  readonly pending: number;
  /** Rows that were given up and neither tried again nor discarded. */
  readonly failed: number;
  /** Age of the oldest pending row in milliseconds; 0 when there is none. */
  readonly oldestMs: number;
}

/** What a relay asks for. */
export interface TakeOptions {
  /** At most so many rows, and of one key a part of them, so that it does not crowd out the others. */
  readonly limit: number;
  /** Rows that the relay has. */
  readonly busyIds: readonly string[];
  /** Keys whose rows the relay has: none of theirs are wanted. */
  readonly busyKeys: readonly string[];
}

/** The right to publish what is in a store: one relay has it at a time. Each call rejects once it is lost. */
export interface OutboxLead {
  /**
   * Committed rows that are due, the oldest first, and per key a run without gaps from its oldest: none behind one that
   * is not due yet, or was given up and holds.
   */
  take(options: TakeOptions): Promise<readonly OutboxRow[]>;
  /** Marks rows as published. */
  sent(ids: readonly string[]): Promise<void>;
  /** Puts a row off after a failure. `refused`: no repetition will mend it. */
  postpone(id: string, options: { delayMs: number; refused: boolean; error: string }): Promise<void>;
  /** Gives a row up. `holds`: the later ones of its key wait until it is tried again or discarded. */
  fail(id: string, options: { holds: boolean; error: string }): Promise<void>;
  /** Removes up to `limit` rows that were published more than `keepMs` ago; answers how many. */
  prune(keepMs: number, limit: number): Promise<number>;
  /** Gives the right back. `now`: without waiting for a call that runs, nor for the store. */
  close(options?: { now?: boolean }): Promise<void>;
}

/** Where an outbox keeps its rows: in the user's database, or in memory. */
export interface OutboxStore<Tx> {
  /** Writes a row as part of the caller's transaction. */
  add(transaction: Tx, draft: OutboxDraft): Promise<void>;
  /** Undefined while another relay has the right. */
  lead(): Promise<OutboxLead | undefined>;
  /** What waits now. */
  stats(): Promise<OutboxStats>;
  /** Rows that were given up, the oldest first. */
  failed(limit: number): Promise<readonly FailedRow[]>;
  /** Lets rows that were given up be published again; answers how many. */
  retry(ids: readonly string[]): Promise<number>;
  /** Removes rows that were given up; answers how many. */
  discard(ids: readonly string[]): Promise<number>;
}

/** So many rows of one key are taken at once. */
export const rowsPerKey = 64;
