interface Milestone {
  readonly at: number;
  readonly reached: () => void;
}

/** Calls back when a growing number reaches certain marks. */
export class Milestones {
  #waiting: Milestone[] = [];

  /** Returns what takes the mark away again. */
  add(at: number, reached: () => void): () => void {
    const milestone: Milestone = { at, reached };
    this.#waiting.push(milestone);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== milestone);
    };
  }

  /** Calls everyone whose mark is at or below `position`. */
  pass(position: number): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter(({ at }) => at <= position);
    this.#waiting = this.#waiting.filter(({ at }) => at > position);
    for (const milestone of reached) milestone.reached();
  }
}
