import { systemClock, type Timer } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import { uuidv7 } from "../../core/id.ts";
import type { Capabilities } from "../../core/transport.ts";
import type { ConformanceCase, ConformanceFactory, Need } from "./case.ts";
import { createContext } from "./context.ts";
import { ConformanceFailure } from "./expect.ts";

/** What became of a case. */
export interface CaseResult {
  /** That of the {@link ConformanceCase}. */
  readonly id: string;
  /** `skipped`: the transport lacks what the case asks for, or has what it must not have. */
  readonly status: "passed" | "failed" | "skipped";
  /** Why it failed, or what the transport lacks. */
  readonly reason?: string;
  /** Milliseconds from opening the first client to closing the last. 0 when skipped. */
  readonly elapsedMs: number;
}

/** Options of {@link runCases}. */
export interface RunCasesOptions {
  /** How many cases may run at once. Default: 1. */
  readonly concurrency?: number;
  /** Bound of one case in milliseconds. Default: 60,000. */
  readonly timeoutMs?: number;
}

/** Names no other run has: brokers remember destinations and groups. */
const names = uuidv7();

/** What keeps a case from running on a transport; undefined when nothing does. */
export function reasonToSkip(
  { needs = [], lacks = [] }: ConformanceCase,
  factory: ConformanceFactory,
  capabilities: Capabilities,
): string | undefined {
  /** What is asked per destination counts as there, and as lacking: a case takes the destination that it means. */
  const have = (need: Need, always = false): boolean => {
    if (need === "clients") return !factory.oneClient;
    if (need === "reads") return factory.reads === true;
    if (need === "letters") return factory.letters === true;
    if (need === "cuts") return factory.cuts === true;
    if (need === "vanishes") return factory.vanishedAfterMs !== undefined;
    if (need === "shortWindow") return factory.duplicateWindowMs !== undefined;
    const found = (capabilities as unknown as Record<string, unknown>)[need];
    return always ? found === true : Boolean(found);
  };
  const missing = needs.filter((need) => !have(need));
  if (missing.length > 0) return `lacks ${missing.join(", ")}`;
  const there = lacks.filter((need) => have(need, true));
  return there.length > 0 ? `has ${there.join(", ")}` : undefined;
}

/** Runs one case against a fresh context. Rejects with what does not hold. */
export async function runCase(
  one: ConformanceCase,
  factory: ConformanceFactory,
  capabilities: Capabilities,
  timeoutMs = 60_000,
): Promise<void> {
  const context = createContext(factory, capabilities, `conformance-${names()}`);
  const failures: unknown[] = [];
  const note = (reason: unknown): void => void failures.push(reason);
  await within(timeoutMs, "not finished", one.run(context)).catch(note);
  await within(closeMs, "not closed", context.close()).catch(note);
  // What the case says comes first: closing often fails only because the case did.
  if (failures.length > 0) throw failures[0];
}

/** How long a context may take to close everything. */
const closeMs = 20_000;

/** Fails, saying `what`, when the work takes longer; whatever it does afterwards nobody waits for. */
async function within(timeoutMs: number, what: string, work: Promise<void>): Promise<void> {
  let late: Timer | undefined;
  const over = new Promise<never>((_, reject) => {
    late = systemClock.after(timeoutMs, () => reject(new ConformanceFailure(`${what} after ${timeoutMs} ms`)));
  });
  try {
    await Promise.race([work, over]);
  } finally {
    late?.cancel();
  }
}

/**
 * Runs cases without a test framework and tells what became of each: for runtimes that have none, such as a page or an
 * edge function, and for tables.
 *
 * @example
 * ```ts
 * import { memoryTransport } from "waybill/memory";
 * import { conformanceCases, runCases } from "waybill/testing";
 *
 * const factory = { oneClient: true, open: () => ({ transport: memoryTransport() }) };
 * const { capabilities } = memoryTransport();
 * for await (const { id, status, reason } of runCases(conformanceCases, factory, capabilities)) {
 *   console.log(id, status, reason ?? "");
 * }
 * ```
 */
export async function* runCases(
  cases: readonly ConformanceCase[],
  factory: ConformanceFactory,
  capabilities: Capabilities,
  { concurrency = 1, timeoutMs }: RunCasesOptions = {},
): AsyncGenerator<CaseResult, void, undefined> {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new EventError("invalid-option", `runCases: concurrency must be a whole number from 1, not ${concurrency}`);
  }
  const waiting = [...cases];
  const running = new Set<Promise<CaseResult>>();
  const finished: Promise<CaseResult>[] = [];
  while (waiting.length + running.size > 0) {
    while (waiting.length > 0 && running.size < concurrency) {
      const work = resultOf(waiting.shift()!, factory, capabilities, timeoutMs);
      running.add(work);
      void work.then(() => finished.push(work));
    }
    await Promise.race(running);
    for (const work of finished.splice(0)) {
      running.delete(work);
      yield await work;
    }
  }
}

async function resultOf(
  one: ConformanceCase,
  factory: ConformanceFactory,
  capabilities: Capabilities,
  timeoutMs: number | undefined,
): Promise<CaseResult> {
  const { id } = one;
  const lacking = reasonToSkip(one, factory, capabilities);
  if (lacking !== undefined) return { id, status: "skipped", reason: lacking, elapsedMs: 0 };
  const startedMs = systemClock.now();
  const elapsed = (): number => systemClock.now() - startedMs;
  try {
    await runCase(one, factory, capabilities, timeoutMs);
    return { id, status: "passed", elapsedMs: elapsed() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { id, status: "failed", reason, elapsedMs: elapsed() };
  }
}
