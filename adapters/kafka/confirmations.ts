import type { EventError } from "../../core/errors.ts";

interface Round {
  upTo: number;
  settlements: number;
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: EventError): void;
}

/**
 * The promises of settled deliveries of one lane. All that the next commit will cover share one: a promise per event
 * would cost more than the commit. What an earlier unfinished offset holds back has its own, or waiting for one
 * message could mean waiting for another that is held back longer.
 */
export class Confirmations {
  #open: Round | undefined;
  #sealed: Round[] = [];
  #fenced: EventError | undefined;

  /** Resolves once a commit covers `offset`. `heldBack`: the next one will not, unless something else finishes. */
  of(offset: number, heldBack: boolean): Promise<void> {
    if (this.#fenced) return Promise.reject(this.#fenced);
    if (heldBack) {
      const round = newRound(offset);
      round.settlements = 1;
      this.#sealed.push(round);
      return round.promise;
    }
    this.#open ??= newRound(offset);
    this.#open.settlements++;
    if (offset > this.#open.upTo) this.#open.upTo = offset;
    return this.#open.promise;
  }

  /** Settlements that no commit covers yet. */
  get waiting(): number {
    return this.#sealed.reduce((sum, { settlements }) => sum + settlements, this.#open?.settlements ?? 0);
  }

  /** A commit starts: what settles from now on waits for the next one. */
  seal(): void {
    if (this.#open) this.#sealed.push(this.#open);
    this.#open = undefined;
  }

  /** The broker has every offset below `next`. */
  committed(next: number): void {
    this.#sealed = this.#sealed.filter((round) => {
      if (round.upTo >= next) return true;
      round.resolve();
      return false;
    });
  }

  /** Nothing of this lane can be committed any more. */
  fence(error: EventError): void {
    this.#fenced = error;
    this.seal();
    for (const round of this.#sealed.splice(0)) round.reject(error);
  }
}

function newRound(upTo: number): Round {
  let settle!: Pick<Round, "resolve" | "reject">;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever settled may not care; the rejection must not end the process then.
  promise.catch(() => undefined);
  return { upTo, settlements: 0, promise, ...settle };
}
