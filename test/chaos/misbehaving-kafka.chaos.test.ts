import { afterAll, beforeAll, expect, test } from "vitest";
import { type Catalog, fixedBackoff, type HandlerDelivery } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { misbehavingCases } from "./misbehaving-cases.ts";
import { kafkaPlace, openBus, type Place, publishAll } from "./places.ts";
import { lettersOf } from "./poison-run.ts";
import { until } from "./support/chaos.ts";

let shared: Place;
beforeAll(async () => {
  shared = await kafkaPlace(6_000, 500);
});
afterAll(() => shared?.[Symbol.asyncDispose]());

misbehavingCases(() => Promise.resolve({ ...shared, [Symbol.asyncDispose]: async () => undefined }));

test("a rebalance takes lanes away in the middle: late words of those are void, and what stayed ends as its handler says", async () => {
  const destination = await shared.destination("rebalanced");
  const [one, two] = [await openBus(shared), await openBus(shared)];
  const total = 40;
  const options = {
    ...({ destination, group: "billing", concurrency: total, order: "none", deadLetter: true } as const),
    retry: { attempts: 1, backoff: fixedBackoff(10) },
  };
  const held = new Map<number, HandlerDelivery<Catalog>>();
  let finish: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const kept: number[] = [];
  let ended = 0;
  await one.bus.subscribe(
    "order.placed",
    async ({ data }, delivery) => {
      const { n } = data as { n: number };
      held.set(n, delivery);
      await gate;
      ended++;
      if (!delivery.signal.aborted) return void kept.push(n);
      delivery.deadLetter("the word of who has lost it");
      throw new Error("late");
    },
    options,
  );
  const items = Array.from({ length: total }, (_, n) => ({
    type: "order.placed",
    data: { n },
    key: `k-${n}`,
    destination,
  }));
  await publishAll(one.bus, items);
  await until("all of it runs", () => held.size === total);
  const moved: number[] = [];
  await two.bus.subscribe("order.placed", ({ data }) => void moved.push((data as { n: number }).n), options);
  const lost = (): number[] => [...held].filter(([, { signal }]) => signal.aborted).map(([n]) => n);
  await until("the other member has what moved", () => lost().length > 0 && moved.length === lost().length);
  expect(lost().length).toBeLessThan(total);
  finish();
  await until("every handler has ended", () => ended === total);
  const queue = await createDeadLetterQueue({ bus: two.bus, destination });
  expect(await lettersOf(queue)).toEqual([]);
  expect([...kept, ...moved].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n));
  await one.bus.close();
  await two.bus.close();
  expect([one.errors, two.errors]).toEqual([[], []]);
});
