import { expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

async function setUp() {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  let failures = 0;
  let deletes = 0;
  const flaky: Transport = {
    ...memory,
    async openState(name, options) {
      const store = await memory.openState!(name, options);
      return {
        ...store,
        get: async (key) => {
          if (name === "waybill-parked" && failures > 0) {
            failures--;
            throw new EventError("timeout", "the server is busy", { retryable: true });
          }
          return store.get(key);
        },
        delete: async (key, revision) => {
          if (name === "waybill-parked" && deletes > 0) {
            deletes--;
            throw new EventError("timeout", "the server is busy", { retryable: true });
          }
          return store.delete(key, revision);
        },
      };
    },
  };
  const bus = createEventBus({ source: "/shop", transports: { flaky }, clock });
  const failing = new Set<string>();
  const handled: string[] = [];
  await bus.subscribe(
    "order",
    ({ id }) => {
      if (failing.has(id)) throw new Error("no");
      handled.push(id);
    },
    {
      destination: "orders",
      group: "g",
      order: "key",
      deadLetter: { onKey: "park" },
      retry: { attempts: 2, backoff: fixedBackoff(10) },
    },
  );
  const queue = await createDeadLetterQueue({ bus, destination: "orders" });
  const listed = async () => {
    const found: unknown[] = [];
    for await (const { event, reason } of queue.list()) found.push([event?.id, reason]);
    return found;
  };
  const place = async (id: string) => {
    await bus.publish("order", {}, { id, key: "k", destination: "orders" });
    await clock.advance(1_000);
  };
  return {
    clock,
    failing,
    handled,
    queue,
    listed,
    place,
    fail: (n: number) => (failures = n),
    failDelete: (n: number) => (deletes = n),
  };
}

test("one failed look at the parked keys costs no event", async () => {
  const { clock, handled, listed, place, fail } = await setUp();
  fail(1);
  await place("a");
  await clock.advance(60_000);
  expect([handled, await listed()]).toEqual([["a"], []]);
});

test("a release that meets a failing store is tried again: the key is free in the end, and no letter is made of it", async () => {
  const { clock, failing, handled, queue, listed, place, failDelete } = await setUp();
  failing.add("a");
  await place("a");
  failing.clear();
  failDelete(1);
  await queue.redrive();
  await clock.advance(60_000);
  const letters = await listed();
  await place("c");
  expect([handled, letters]).toEqual([["a", "c"], []]);
});
