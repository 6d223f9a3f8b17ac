import { expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import { createTimeLimit } from "../../../core/delivery/time-limit.ts";

test("a limit that stops holds for what runs, and leaves no timer behind the last", async () => {
  const clock = fakeClock();
  const limit = createTimeLimit(clock, 1_000);
  const lane = new AbortController().signal;
  limit.start(lane).end();
  expect(clock.pending).toBe(1); // one timer for all: it waits for the next
  limit.stop();
  expect(clock.pending).toBe(0);
  const late = limit.start(lane);
  const soon = limit.start(lane);
  const work = expect(late.race(new Promise(() => undefined))).rejects.toMatchObject({ code: "timeout" });
  soon.end();
  await clock.advance(1_000);
  await work;
  late.end();
  expect(clock.pending).toBe(0);
});
