import type { EventError } from "../../core/errors.ts";
import type { PublishOutcome } from "../../core/transport.ts";
import type { OutgoingRecord, ProduceFailure, ProduceReport } from "./driver.ts";
import { notStored, storedAt, unresolved } from "./outcome.ts";

/** Learns of every record that leaves the producer's hands. */
export interface PendingOwner {
  /** A record is settled, in whatever way. `late` when nobody waits for its outcome any more. */
  settled(pending: Pending, failure: ProduceFailure | undefined): void;
}

/** The outcomes of one publish call: one promise for all of them. */
export class Batch {
  readonly outcomes: PublishOutcome[];
  readonly done: Promise<readonly PublishOutcome[]>;
  #left: number;
  #resolve!: (outcomes: readonly PublishOutcome[]) => void;

  constructor(size: number) {
    this.outcomes = new Array<PublishOutcome>(size);
    this.#left = size;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    if (size === 0) this.#resolve(this.outcomes);
  }

  /** The first outcome of a message counts: a report after an abort changes nothing. */
  settle(index: number, outcome: PublishOutcome): void {
    if (this.outcomes[index] !== undefined) return;
    this.outcomes[index] = outcome;
    if (--this.#left === 0) this.#resolve(this.outcomes);
  }

  /** Ends the wait: whatever has no outcome yet is unknown. */
  giveUp(error: EventError): void {
    for (let index = 0; this.#left > 0 && index < this.outcomes.length; index++) {
      if (this.outcomes[index] === undefined) this.settle(index, unresolved(error));
    }
  }
}

/** One record on its way. It is its own delivery report, so that no closure is made per record. */
export class Pending implements ProduceReport {
  readonly bytes: number;
  /** Undefined for a message that was posted. */
  readonly batch: Batch | undefined;
  readonly #index: number;
  readonly #owner: PendingOwner;
  /** Kept only until the client has it. */
  record: OutgoingRecord | undefined;
  /** The generation of the producer that has it. */
  producer = 0;
  // An intrusive list of everything on its way: a set would cost more than the rest of this object.
  previous: Pending | undefined;
  next: Pending | undefined;

  constructor(owner: PendingOwner, record: OutgoingRecord, bytes: number, batch: Batch | undefined, index: number) {
    this.#owner = owner;
    this.record = record;
    this.bytes = bytes;
    this.batch = batch;
    this.#index = index;
  }

  stored(partition: number, offset: number): void {
    this.batch?.settle(this.#index, storedAt(partition, offset));
    this.#owner.settled(this, undefined);
  }

  failed(failure: ProduceFailure): void {
    this.batch?.settle(this.#index, notStored(failure));
    this.#owner.settled(this, failure);
  }
}
