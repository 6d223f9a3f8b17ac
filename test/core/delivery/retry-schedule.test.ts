import fc from "fast-check";
import { expect, test } from "vitest";
import { expected, histories, observed } from "./retry-model.ts";

test("whatever attempts do, they come when the policy says, in the order of their keys, and end as it says", async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      expect(await observed(history)).toEqual(expected(history));
    }),
    { numRuns: 1_000 },
  );
});
