/** One tracked position, as {@link ContiguousPrefix.add} returns it. Hand it back to `finish`. */
export interface TrackedPosition {
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
  #entries: TrackedPosition[] = [];
  #head = 0;
  #next: number | undefined;
  #bytes = 0;

  /** `next` is where the log continues when nothing has finished yet, where that is known. */
  constructor(next?: number) {
    this.#next = next;
  }

  /** The position to commit: everything below it is finished. Undefined until that is known. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Entries from the first unfinished one on, finished ones among them. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Sum of `bytes` over those entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Starts to track `position`. Throws RangeError unless it lies above every earlier one. */
  add(position: number, bytes = 0): TrackedPosition {
    const last = this.#entries.at(-1)?.position ?? (this.#next === undefined ? -1 : this.#next - 1);
    if (!(position > last)) throw new RangeError(`Position ${position} does not lie above ${last}`);
    const entry: TrackedPosition = { position, bytes, finished: false };
    this.#entries.push(entry);
    this.#bytes += bytes;
    return entry;
  }

  /** Marks an entry as finished and returns whether {@link next} moved. A second call changes nothing. */
  finish(entry: TrackedPosition): boolean {
    if (entry.finished) return false;
    entry.finished = true;
    if (entry !== this.#entries[this.#head]) return false;
    for (let first: TrackedPosition | undefined = entry; first?.finished; first = this.#entries[this.#head]) {
      this.#next = first.position + 1;
      this.#bytes -= first.bytes;
      this.#head++;
    }
    this.#compact();
    return true;
  }

  // Dropping the finished head only when it is at least half of the array keeps `finish` O(1) amortised.
  #compact(): void {
    if (this.#head === this.#entries.length) this.#entries.length = 0;
    else if (this.#head > 64 && this.#head * 2 > this.#entries.length) this.#entries.splice(0, this.#head);
    else return;
    this.#head = 0;
  }
}
