import { expect, test } from "vitest";
import { memoryIdempotency } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { createRenewals, type Renewals } from "../../../core/delivery/claim-renewals.ts";

const leaseMs = 3_000;

/** A store whose first answers about `x` are lost, and what has the claims renewed. */
function setUp(lost: number) {
  const clock = fakeClock();
  const store = memoryIdempotency({ clock });
  let failures = lost;
  const renewals = createRenewals(
    clock,
    {
      ...store,
      async renew(key, token, options) {
        await new Promise<void>((resolve) => void clock.after(20, resolve));
        if (key === "x" && failures-- > 0) throw new Error("away");
        return store.renew(key, token, options);
      },
    },
    leaseMs,
  );
  const claim = async (key: string): Promise<ReturnType<Renewals["start"]>> => {
    const { token } = (await store.claim(key, { leaseMs })) as { token: string };
    return renewals.start(key, token);
  };
  return { clock, store, renewals, claim };
}

test.each([0, 500, 1_000, 1_500])(
  "two answers that are lost cost no claim, taken %s ms after a round",
  async (afterMs) => {
    const { clock, store, claim } = setUp(2);
    await claim("first");
    await clock.advance(5 + afterMs);
    await claim("x");
    const states = new Set<string>();
    for (let n = 0; n < 8_000; n += 10) {
      await clock.advance(10);
      states.add((await store.claim("x", { leaseMs: 1 })).state);
    }
    expect([...states]).toEqual(["held"]);
  },
);

test("a claim that was lost is not asked for again, and stopping leaves no timer behind the last", async () => {
  const { clock, store, renewals, claim } = setUp(0);
  const mine = await claim("a");
  await store.release("a", mine.token);
  await clock.advance(leaseMs);
  expect(clock.pending).toBe(0);
  const one = await claim("b");
  const two = await claim("c");
  renewals.end(one);
  renewals.stop();
  await clock.advance(2 * leaseMs + 100);
  expect((await store.claim("c", { leaseMs: 1 })).state).toBe("held");
  expect(clock.pending).toBeGreaterThan(0);
  renewals.end(two);
  expect(clock.pending).toBe(0);
});
