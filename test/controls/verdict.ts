/** An error as the reporter tells it. */
export interface ToldError {
  readonly name: string;
  readonly message: string;
  readonly cause?: ToldError;
}

/** What became of one test. */
export interface TestResult {
  readonly name: string;
  readonly failed: boolean;
  readonly durationMs: number;
  readonly errors: readonly ToldError[];
}

/** What a run of tests came to; written by `scripts/lib/controls-reporter.mjs`. */
export interface TestReport {
  readonly tests: readonly TestResult[];
  /** Errors outside every test: a file that does not load, a hook, a rejection that nobody handles. */
  readonly elsewhere: readonly ToldError[];
}

/** What a control shows. Only `noticed` is as it should be. */
export type Verdict =
  | { readonly kind: "noticed"; readonly red: readonly string[] }
  | { readonly kind: "still passes" | "not loaded" | "red with the guard" | "broken"; readonly why: string };

/** Mistakes of a program: a rewrite that makes one says nothing about its guard. */
const mistakes = new Set(["ReferenceError", "SyntaxError", "TypeError"]);

/**
 * Compares the tests of a control with its guard and without it. Some test has to turn red, by an assertion or by its
 * time-out, in a run that loaded the rewritten source.
 *
 * `loaded`: vitest said that it loaded the source without the guard.
 */
export function judge(withGuard: TestReport, without: TestReport | undefined, loaded: boolean): Verdict {
  const before = withGuard.tests.find(({ failed }) => failed)?.name ?? withGuard.elsewhere[0]?.message;
  if (before !== undefined) return { kind: "red with the guard", why: before };
  if (!without) return { kind: "broken", why: "vitest did not come to an end" };
  const passed = new Set(withGuard.tests.map(({ name }) => name));
  const failed = without.tests.filter((test) => test.failed && passed.has(test.name));
  const red = failed.filter(({ errors }) => !errors.some(isMistake)).map(({ name }) => name);
  if (!loaded && without.tests.length > 0) {
    return { kind: "not loaded", why: "no test loads the source of the guard" };
  }
  if (red.length > 0) return { kind: "noticed", red };
  const [crash] = [...failed.flatMap(({ errors }) => errors), ...without.elsewhere];
  if (crash) return { kind: "broken", why: innermost(crash).message };
  if (without.tests.length === 0) return { kind: "broken", why: "no test ran" };
  return { kind: "still passes", why: `${without.tests.length} tests pass without the guard` };
}

/**
 * How long a test may take without the guard before it counts as hanging: long enough for the slowest of them on a
 * machine that is five times as busy, since being slow is not the same as missing a guard.
 */
export function timeLimitMs({ tests }: TestReport): number {
  return Math.max(4_000, 5 * Math.max(0, ...tests.map(({ durationMs }) => durationMs)));
}

function isMistake(error: ToldError): boolean {
  return mistakes.has(innermost(error).name);
}

function innermost(error: ToldError): ToldError {
  return error.cause ? innermost(error.cause) : error;
}
