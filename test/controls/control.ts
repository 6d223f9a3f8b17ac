/**
 * A guard, and how to run its tests without it: a test-only edit of one source text. Nothing of it is in the code that
 * is shipped.
 */
export interface Control {
  /** The area and a name, such as `kafka.max-ahead`; it also says which controls to run. */
  readonly id: string;
  /** What the guard promises, in the present tense. */
  readonly guard: string;
  /** The source that has the guard, from the repository's root. */
  readonly file: string;
  /** The guard's text; it occurs exactly once. */
  readonly from: string;
  /** The text without the guard. */
  readonly to: string;
  /** Test files of which at least one test has to fail without the guard. */
  readonly tests: readonly string[];
  /** Runs only tests whose names match, as a regular expression: for files that take long. */
  readonly title?: string;
}

/** The source without the guard. Throws when the guard's text is not there exactly once: then the control is out of date. */
export function rewrite({ id, file, from, to }: Control, source: string): string {
  const parts = source.split(from);
  if (parts.length !== 2) {
    throw new Error(`control ${id}: its text occurs ${parts.length - 1} times in ${file}, and not once:\n${from}`);
  }
  return parts.join(to);
}
