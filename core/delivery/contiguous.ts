import { Chain, type Chained } from "./chain.ts";

/** One tracked position: made by {@link ContiguousPrefix.add}, or what else is kept of an entry anyhow. */
export interface TrackedPosition extends Chained<TrackedPosition> {
  readonly position: number;
  readonly bytes: number;
  /** Set by {@link ContiguousPrefix.finish}. */
  finished: boolean;
}

/**
 * Finds how far a log may be committed while its entries finish in any order: up to the first entry that is not
 * finished. Committing anything beyond it would skip that entry after a crash.
 *
 * Positions are added in rising order; gaps are allowed (compaction, transaction markers). Every operation is O(1)
 * amortised.
 */
export class ContiguousPrefix {
  /** From the first unfinished one on. */
  readonly #entries = new Chain<TrackedPosition>();
  /** The position that was added last, or the one before where the log continues. */
  #last: number;
  #size = 0;
  #next: number | undefined;
  #bytes = 0;

  /** `next` is where the log continues when nothing has finished yet, where that is known. */
  constructor(next?: number) {
    this.#next = next;
    this.#last = (next ?? 0) - 1;
  }

  /** The position to commit: everything below it is finished. Undefined until that is known. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Entries from the first unfinished one on, finished ones among them. */
  get size(): number {
    return this.#size;
  }

  /** Sum of `bytes` over those entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Starts to track `position`. Throws RangeError unless it lies above every earlier one. */
  add(position: number, bytes = 0): TrackedPosition {
    const entry: TrackedPosition = { position, bytes, finished: false, following: undefined };
    this.track(entry);
    return entry;
  }

  /** As {@link add}, of an entry that is not finished. */
  track(entry: TrackedPosition): void {
    const { position, bytes } = entry;
    if (!(position > this.#last)) throw new RangeError(`Position ${position} does not lie above ${this.#last}`);
    this.#entries.push(entry);
    this.#last = position;
    this.#size++;
    this.#bytes += bytes;
  }

  /** Marks an entry as finished and returns whether {@link next} moved. A second call changes nothing. */
  finish(entry: TrackedPosition): boolean {
    if (entry.finished) return false;
    entry.finished = true;
    if (entry !== this.#entries.first) return false;
    for (let first: TrackedPosition | undefined = entry; first?.finished; first = this.#entries.first) {
      this.#next = first.position + 1;
      this.#bytes -= first.bytes;
      this.#size--;
      this.#entries.shift();
    }
    return true;
  }
}
