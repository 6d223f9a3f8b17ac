import { expect, test } from "vitest";
import { kafkaPlace } from "./places.ts";
import { checkRestarts, title } from "./rolling-restarts-cases.ts";

test(title, async () => {
  await using place = await kafkaPlace(3_000);
  const { reported } = await checkRestarts(place);
  // A new owner counts anew. What lies behind an event that waits for its next attempt cannot be committed: it comes again.
  expect(reported.filter((line) => !line.startsWith("error fenced "))).toEqual([]);
});
