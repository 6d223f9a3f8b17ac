import { isPattern, matches } from "./pattern.ts";
import { overlap } from "./pattern-overlap.ts";
import type { Registration } from "./reception.ts";

/** Types that were looked up among the patterns; a sender could make up any number. */
const maxRemembered = 1024;

/** The handlers of a group, by the types they take: finding one costs the same with ten as with ten thousand. */
export class Registrations {
  /** Those of one type, by its name. */
  readonly #literal = new Map<string, Registration>();
  readonly #patterns: Registration[] = [];
  readonly #remembered = new Map<string, Registration | undefined>();

  get size(): number {
    return this.#literal.size + this.#patterns.length;
  }

  all(): Registration[] {
    return [...this.#literal.values(), ...this.#patterns];
  }

  /** One that takes some of the same types. */
  rivalOf(pattern: string): Registration | undefined {
    const rivals = (other: Registration): boolean => overlap(other.pattern, pattern);
    const rival = this.#literal.get(pattern) ?? this.#patterns.find(rivals);
    return rival || !isPattern(pattern) ? rival : [...this.#literal.values()].find(rivals);
  }

  add(registration: Registration): void {
    if (isPattern(registration.pattern)) this.#patterns.push(registration);
    else this.#literal.set(registration.pattern, registration);
    this.#remembered.clear();
  }

  remove(registration: Registration): void {
    const at = this.#patterns.indexOf(registration);
    if (at >= 0) this.#patterns.splice(at, 1);
    else if (this.#literal.get(registration.pattern) === registration) this.#literal.delete(registration.pattern);
    this.#remembered.clear();
  }

  find(type: string): Registration | undefined {
    const known = this.#remembered.get(type);
    if (known || this.#remembered.has(type)) return known;
    const found = this.#literal.get(type) ?? this.#patterns.find(({ pattern }) => matches(pattern, type));
    if (this.#remembered.size < maxRemembered) this.#remembered.set(type, found);
    return found;
  }
}
