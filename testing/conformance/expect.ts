/** Why a case failed. */
export class ConformanceFailure extends Error {
  override readonly name: string = "ConformanceFailure";
}

/** Fails, naming `what`, unless both are the same by content. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [show(actual), show(expected)];
  if (got !== wanted) throw new ConformanceFailure(`${what}: ${short(got)}, expected ${short(wanted)}`);
}

/** Fails, naming `what`, unless it holds. */
export function expectTrue(holds: boolean, what: string): void {
  if (!holds) throw new ConformanceFailure(what);
}

/** Fails unless both hold the same values, each as often; says which are missing and which too many. */
export function expectSameSet(actual: readonly string[], expected: readonly string[], what: string): void {
  const left = new Map<string, number>();
  for (const each of expected) left.set(each, (left.get(each) ?? 0) + 1);
  for (const each of actual) left.set(each, (left.get(each) ?? 0) - 1);
  const missing = [...left].filter(([, count]) => count > 0).map(([each]) => each);
  const surplus = [...left].filter(([, count]) => count < 0).map(([each]) => each);
  if (missing.length + surplus.length === 0) return;
  const some = (list: readonly string[]): string => `${list.length} (${short(list.slice(0, 5).join(", "))})`;
  throw new ConformanceFailure(`${what}: ${some(missing)} missing, ${some(surplus)} too many of ${expected.length}`);
}

/** Fails unless `work` fails with that code; returns the error. */
export async function expectCode(work: () => unknown, code: string, what: string): Promise<Record<string, unknown>> {
  let result: unknown;
  try {
    result = await work();
  } catch (reason) {
    const error = (reason ?? {}) as Record<string, unknown>;
    if (error.code === code) return error;
    throw new ConformanceFailure(`${what}: ${String(error.code)} (${String(error.message)}), expected ${code}`);
  }
  throw new ConformanceFailure(`${what}: succeeded with ${short(show(result))}, expected ${code}`);
}

/** A text that is the same for the same content: keys in order, bytes as numbers. */
function show(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) => {
      if (each instanceof Uint8Array) return { bytes: Array.from(each).join() };
      if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
      return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? String(value)
  );
}

const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
