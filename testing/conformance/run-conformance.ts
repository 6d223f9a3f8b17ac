import type { Capabilities } from "../../core/transport.ts";
import type { ConformanceCase, ConformanceFactory } from "./case.ts";
import { conformanceCases } from "./cases/index.ts";
import { reasonToSkip, runCase } from "./run-cases.ts";

/**
 * The part of a test runner that is called: `test` of vitest, `Deno.test`, `test` of `bun:test`.
 * A skipped test is registered by `skip`, or by `ignore` on Deno, and the runner shows it.
 */
export interface TestFunction {
  // biome-ignore lint/suspicious/noExplicitAny: each runner hands its tests another context, which no case looks at.
  (name: string, run: (...given: any[]) => Promise<void>, ...more: any[]): unknown;
  /** Registers a skipped test. Default: `ignore`; without both, skipped cases are not shown. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly skip?: (name: string, run: (...given: any[]) => Promise<void>) => unknown;
  /** Deno's way to register a skipped test. Where it is there, no time-out is passed. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly ignore?: (name: string, run: (...given: any[]) => Promise<void>) => unknown;
}

/** Options of {@link runConformance}. */
export interface RunConformanceOptions {
  /** `test` of vitest or `bun:test`, or `Deno.test`. */
  readonly test: TestFunction;
  /** Default: every case. */
  readonly cases?: readonly ConformanceCase[];
  /** Cases that are known to fail, by id, with the reason. One that passes all the same fails, so that it gets removed. */
  readonly knownGaps?: Readonly<Record<string, string>>;
  /** Bound of one case in milliseconds. Default: 60,000. */
  readonly timeoutMs?: number;
}

/**
 * Registers a test for each conformance case with the runner given. A case that asks for what the transport lacks is
 * registered as skipped, with what is lacking in its title.
 *
 * @param capabilities Those of the transport: they decide what is skipped, before any client is opened.
 *
 * @example
 * ```ts
 * import { test } from "vitest";
 * import { memoryTransport } from "waybill/memory";
 * import { runConformance } from "waybill/testing";
 *
 * const factory = { oneClient: true, open: () => ({ transport: memoryTransport() }) };
 * runConformance(factory, memoryTransport().capabilities, { test });
 * ```
 */
export function runConformance(
  factory: ConformanceFactory,
  capabilities: Capabilities,
  { test, cases = conformanceCases, knownGaps = {}, timeoutMs = 60_000 }: RunConformanceOptions,
): void {
  const skip = test.skip ?? test.ignore;
  for (const one of cases) {
    const title = `${one.id}: ${one.title}`;
    const lacking = reasonToSkip(one, factory, capabilities);
    const gap = knownGaps[one.id];
    if (lacking !== undefined && skip) skip.call(test, `${title} (${lacking})`, () => Promise.resolve());
    else if (lacking !== undefined) register(`${title} (skipped: ${lacking})`, () => Promise.resolve());
    else if (gap === undefined) register(title, () => runCase(one, factory, capabilities, timeoutMs));
    else register(`${title} (known gap: ${gap})`, () => failing(one));
  }

  /** The runner's own bound lies above that of the case, which says more. Deno has none and takes no third argument. */
  function register(title: string, run: () => Promise<void>): void {
    if (test.ignore) test(title, run);
    else test(title, run, timeoutMs + 30_000);
  }

  async function failing(one: ConformanceCase): Promise<void> {
    const failed = await runCase(one, factory, capabilities, timeoutMs).then(
      () => false,
      () => true,
    );
    if (!failed) throw new Error(`${one.id} holds: remove it from the known gaps`);
  }
}
