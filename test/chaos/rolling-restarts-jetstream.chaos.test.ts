import { expect, test } from "vitest";
import { jetstreamPlace } from "./places.ts";
import { checkRestarts, rollingRestarts, title } from "./rolling-restarts-cases.ts";
import { report, sized } from "./support/chaos.ts";

test(title, async () => {
  await using place = await jetstreamPlace(undefined, 1_500);
  const { killed, left, more, reported } = await checkRestarts(place);
  // A failed attempt whose member was killed before it could say so is not counted; nothing else is left out.
  expect(more).toBeLessThanOrEqual(killed * 8);
  expect([new Set(left), reported]).toEqual([new Set([0]), []]);
});

test("without a count that members share, restarts cost events their attempts: the control", async () => {
  await using place = await jetstreamPlace(undefined, 1_500);
  const { wronged, early, missing } = await rollingRestarts(place, sized(8, 20), false);
  expect(missing).toEqual([]);
  expect(wronged.length + early.length).toBeGreaterThan(0);
  report(4, "JetStream, by the broker's deliveries alone (control)", {
    "set aside before they had failed as often as they may": early.length,
    "of them events that would have been handled": wronged.length,
  });
});
