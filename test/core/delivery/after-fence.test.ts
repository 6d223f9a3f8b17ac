import { expect, test } from "vitest";
import { createEventBus, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("a handler is not started for a delivery that is another's by now", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, partitions: 3 });
  let slowMs = 0;
  const slow: Transport = {
    ...memory,
    async openState(name, options) {
      const store = await memory.openState!(name, options);
      return {
        ...store,
        get: async (key) => {
          if (slowMs > 0) await new Promise<void>((resolve) => clock.after(slowMs, resolve));
          return store.get(key);
        },
      };
    },
  };
  const member = async (name: string, calls: string[]) => {
    const bus = createEventBus({ source: "/shop", transports: { slow }, clock });
    await bus.subscribe("order", ({ id }) => void calls.push(`${name} ${id}`), {
      destination: "orders",
      group: "g",
      order: "key",
      concurrency: 20,
      deadLetter: { onKey: "park" },
    });
    return bus;
  };
  const calls: string[] = [];
  const one = await member("one", calls);
  const bus = createEventBus({ source: "/shop", transports: { slow }, clock });
  slowMs = 20_000;
  for (const id of "abcdefghijkl") await bus.publish("order", {}, { id, key: id, destination: "orders" });
  await clock.advance(10);
  slowMs = 0;
  // A rebalance: the lane is drained for 10 s, then fenced, and the event is the other's.
  const joining = Promise.all([member("two", calls), member("three", calls)]);
  await clock.advance(60_000);
  await joining;
  void one;
  expect(calls).toHaveLength(12);
});
