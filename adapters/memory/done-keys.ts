/** What is remembered of a key whose work is done. */
export interface DoneKey {
  /** The number of the claim that it was done under. */
  readonly claim: number;
  readonly untilMs: number;
  readonly result: string | undefined;
}

/** How many are forgotten before the columns are shortened: that takes their length. */
const shortenAt = 1_024;

/**
 * Keys that are done, in that order, under numbers that rise. In columns: there may be a hundred thousand of them, and an
 * object for each would be copied by the garbage collector until it is old, which costs more than all else here.
 */
export class DoneKeys {
  /** undefined: forgotten. */
  readonly #keys: (string | undefined)[] = [];
  readonly #claims: number[] = [];
  readonly #untilMs: number[] = [];
  /** By number: most have none. */
  readonly #results = new Map<number, string>();
  /** The number of what stands first in the columns. */
  #first = 0;
  /** Where the oldest one stands that is not forgotten. */
  #head = 0;

  /** Returns its number. */
  add(key: string, claim: number, untilMs: number, result: string | undefined): number {
    const number = this.#first + this.#keys.length;
    this.#keys.push(key);
    this.#claims.push(claim);
    this.#untilMs.push(untilMs);
    if (result !== undefined) this.#results.set(number, result);
    return number;
  }

  /** `number` is of one that is not forgotten. */
  of(number: number): DoneKey {
    const at = number - this.#first;
    return { claim: this.#claims[at]!, untilMs: this.#untilMs[at]!, result: this.#results.get(number) };
  }

  /** The one that was done first, if its time is over by `nowMs`. */
  oldest(nowMs: number): string | undefined {
    return this.#untilMs[this.#head]! <= nowMs ? this.#keys[this.#head] : undefined;
  }

  /** `number` is of one that is not forgotten. */
  forget(number: number): void {
    this.#keys[number - this.#first] = undefined;
    this.#results.delete(number);
    while (this.#head < this.#keys.length && this.#keys[this.#head] === undefined) this.#head++;
    if (this.#head > shortenAt && this.#head * 2 > this.#keys.length) this.#shorten();
  }

  #shorten(): void {
    for (const column of [this.#keys, this.#claims, this.#untilMs]) column.splice(0, this.#head);
    this.#first += this.#head;
    this.#head = 0;
  }
}
