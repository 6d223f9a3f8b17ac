/** What {@link SubjectTrie} keeps: anything with a subject pattern and an optional queue group. */
export interface Interest {
  /** With `*` for one token and a final `>` for the rest. */
  readonly subject: string;
  /** Empty: no group. */
  readonly queue: string;
}

/** Who gets a message: every plain subscription, and one member of each group. */
export interface Matches<T> {
  readonly plain: readonly T[];
  readonly groups: readonly (readonly T[])[];
}

class Level<T> {
  readonly next = new Map<string, Level<T>>();
  readonly plain = new Set<T>();
  readonly groups = new Map<string, T[]>();

  get empty(): boolean {
    return this.next.size + this.plain.size + this.groups.size === 0;
  }
}

/** Remembered results, at most; then all are forgotten. */
const MAX_CACHED = 4_096;

/** Finds the subscriptions of a subject in a step per token. */
export class SubjectTrie<T extends Interest> {
  readonly #root = new Level<T>();
  readonly #cache = new Map<string, Matches<T>>();

  add(interest: T): void {
    this.#cache.clear();
    let level = this.#root;
    for (const token of interest.subject.split(".")) {
      let next = level.next.get(token);
      if (next === undefined) {
        next = new Level();
        level.next.set(token, next);
      }
      level = next;
    }
    if (interest.queue === "") level.plain.add(interest);
    else level.groups.set(interest.queue, [...(level.groups.get(interest.queue) ?? []), interest]);
  }

  remove(interest: T): void {
    this.#cache.clear();
    const path: [Level<T>, string][] = [];
    let level = this.#root;
    for (const token of interest.subject.split(".")) {
      const next = level.next.get(token);
      if (next === undefined) return;
      path.push([level, token]);
      level = next;
    }
    level.plain.delete(interest);
    const group = (level.groups.get(interest.queue) ?? []).filter((other) => other !== interest);
    if (group.length > 0) level.groups.set(interest.queue, group);
    else level.groups.delete(interest.queue);
    for (const [parent, token] of path.reverse()) {
      if (!parent.next.get(token)!.empty) break;
      parent.next.delete(token);
    }
  }

  match(subject: string): Matches<T> {
    const hit = this.#cache.get(subject);
    if (hit !== undefined) return hit;
    const tokens = subject.split(".");
    const plain: T[] = [];
    const groups = new Map<string, T[]>();
    const take = (level: Level<T>): void => {
      plain.push(...level.plain);
      for (const [queue, members] of level.groups) groups.set(queue, [...(groups.get(queue) ?? []), ...members]);
    };
    const walk = (level: Level<T>, depth: number): void => {
      if (depth === tokens.length) {
        take(level);
        return;
      }
      const rest = level.next.get(">");
      if (rest !== undefined) take(rest);
      for (const token of new Set([tokens[depth]!, "*"])) {
        const next = level.next.get(token);
        if (next !== undefined) walk(next, depth + 1);
      }
    };
    walk(this.#root, 0);
    const matches = { plain, groups: [...groups.values()] };
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    this.#cache.set(subject, matches);
    return matches;
  }
}

/** Whether a subject is well formed: no white space, no empty token, wildcards only where they are allowed. */
export function validSubject(subject: string, wildcards: boolean): boolean {
  if (subject === "" || /[\s\0]/.test(subject)) return false;
  const tokens = subject.split(".");
  return tokens.every((token, at) => {
    if (token === "") return false;
    if (token === ">") return wildcards && at === tokens.length - 1;
    return wildcards || token !== "*";
  });
}
