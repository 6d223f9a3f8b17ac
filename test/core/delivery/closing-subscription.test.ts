import { describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

describe("closing a subscription loses nothing", () => {
  test("a) that a batch had collected", async () => {
    const clock = fakeClock();
    const transport = memoryTransport({ clock });
    const bus = createEventBus({ source: "/shop", transports: { transport }, clock });
    const handled: string[] = [];
    const join = () =>
      bus.subscribe("order", (entries) => void handled.push(...entries.map(({ event }) => event.id)), {
        group: "g",
        batch: { maxEvents: 100, maxWaitMs: 1_000 },
      });
    const first = await join();
    for (const id of ["a", "b", "c"]) await bus.publish("order", {}, { id });
    await clock.advance(10);
    await first.close();
    await join();
    await clock.advance(10_000);
    expect([...new Set(handled)].sort()).toEqual(["a", "b", "c"]);
  });

  test("b) that comes for its second attempt", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const slow: Transport = {
      ...memory,
      async openState(name, options) {
        const store = await memory.openState!(name, options);
        const wait = () => new Promise<void>((resolve) => clock.after(5, resolve));
        return {
          ...store,
          get: (key) => wait().then(() => store.get(key)),
          put: (...given) => wait().then(() => store.put(...given)),
        };
      },
    };
    const bus = createEventBus({ source: "/shop", transports: { slow }, clock });
    let handled = 0;
    let away = true;
    const join = () =>
      bus.subscribe(
        "order",
        () => {
          if (away) throw new Error("not yet");
          handled++;
        },
        { group: "g", order: "none", deadLetter: true, retry: { attempts: 5, backoff: fixedBackoff(100) } },
      );
    const first = await join();
    await bus.publish("order", {}, { id: "a" });
    await clock.advance(112);
    away = false;
    const closing = first.close();
    await clock.advance(1_000);
    await closing;
    await join();
    await clock.advance(10_000);
    expect(handled).toBe(1);
  });

  test("c) that a broker would not deliver again", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const core: Transport = { ...memory, capabilities: { ...memory.capabilities, redelivery: false, keyOrder: false } };
    const bus = createEventBus({ source: "/shop", transports: { core }, clock });
    const handled: string[] = [];
    const first = await bus.subscribe(
      "order",
      async ({ id }) => {
        await new Promise<void>((resolve) => clock.after(10, resolve));
        handled.push(id);
      },
      { group: "g" },
    );
    for (const id of ["a", "b", "c"]) await bus.publish("order", {}, { id });
    await clock.advance(1);
    const closing = first.close();
    await clock.advance(1_000);
    await closing;
    expect(handled).toEqual(["a", "b", "c"]);
  });
});
