import { expect, test } from "vitest";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { type FakeClock, fakeClock } from "waybill/testing";

const longestMs = 2_147_483_647;
/** As hosts do: what is longer than they can keep fires at once. */
function hostLike(): FakeClock {
  const clock = fakeClock();
  const { after } = clock;
  return Object.assign(clock, {
    after: (delayMs: number, run: () => void) => after(delayMs > longestMs ? 1 : delayMs, run),
  });
}

test.each([2 ** 31, Number.POSITIVE_INFINITY])(
  "a wait of %s ms that a handler asks for is not none",
  async (waitMs) => {
    const clock = hostLike();
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
    let calls = 0;
    await bus.subscribe(
      "order",
      (_, delivery) => {
        calls++;
        delivery.retryAfter(waitMs);
      },
      { group: "g", deadLetter: true, retry: { attempts: 50 } },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect(calls).toBe(1);
    await clock.advance(longestMs);
    expect(calls).toBe(2);
  },
);

test("nor is one that a backoff of the user's own answers", async () => {
  const clock = hostLike();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  let calls = 0;
  await bus.subscribe(
    "order",
    () => {
      calls++;
      throw new Error("no");
    },
    { group: "g", deadLetter: true, retry: { attempts: 50, backoff: () => Number.POSITIVE_INFINITY } },
  );
  await bus.publish("order", {});
  await clock.advance(60_000);
  expect(calls).toBe(1);
});
