import { expect, test } from "vitest";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("a key that is not parked is not remembered", async () => {
  const sizes = new Map<Map<unknown, unknown>, number>();
  const { set } = Map.prototype;
  Map.prototype.set = function (this: Map<unknown, unknown>, key, value) {
    const result = set.call(this, key, value);
    if (typeof key === "string" && key.startsWith("park.")) set.call(sizes, this, this.size);
    return result as never;
  };
  try {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
    let handled = 0;
    const options = { destination: "orders", group: "g", order: "key", deadLetter: { onKey: "park" } } as const;
    await bus.subscribe(
      "order",
      ({ id }) => {
        if (id === "0") throw new Error("no");
        handled++;
      },
      { ...options, retry: { attempts: 1 } },
    );
    for (let n = 0; n < 200; n++) {
      await bus.publish("order", {}, { id: String(n), key: `k-${n}`, destination: "orders" });
      await clock.advance(1);
    }
    expect(handled).toBe(199);
  } finally {
    Map.prototype.set = set;
  }
  // That of the store itself has the one key that is parked.
  expect([...sizes.values()]).toEqual([1]);
});
