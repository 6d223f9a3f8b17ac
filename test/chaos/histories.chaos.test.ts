import fc from "fast-check";
import { expect, test } from "vitest";
import { expected, histories, observed } from "../core/delivery/retry-model.ts";
import { report, seeded, sized } from "./support/chaos.ts";

// Key order, the contiguous prefix and claims have models of their own beside their code: test/core/delivery
// scheduler.test.ts (1,000 runs), collector.test.ts and contiguous.test.ts (2,000), idempotency.test.ts (2 × 1,000).
test("attempts, letters and the order of keys agree with a model of them", async () => {
  const { seed } = seeded("histories");
  const numRuns = sized(1_000, 20_000);
  let events = 0;
  let attempts = 0;
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const lines = await observed(history);
      expect(lines).toEqual(expected(history));
      events += history.events.length;
      attempts += lines.filter((line) => line.includes(" attempt ")).length;
    }),
    { numRuns, seed },
  );
  report(6, "retry schedule and key order, memory", { runs: numRuns, events, attempts, counterexamples: 0 });
});
