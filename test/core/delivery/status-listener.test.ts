import { expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("a listener of the status that throws costs nothing but its own call", async () => {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listen);
  bus.onStatus(() => {
    throw new Error("a mistake of the user's");
  });
  let away = true;
  const handled: string[] = [];
  await bus.subscribe(
    "order",
    ({ id }) => {
      if (away) throw new Error("away");
      handled.push(id);
    },
    {
      group: "g",
      deadLetter: true,
      breaker: { failures: 1, openMs: 1_000 },
      retry: { attempts: 3, backoff: fixedBackoff(10) },
    },
  );
  await bus.publish("order", {}, { id: "a" });
  await clock.advance(10);
  away = false;
  await clock.advance(10_000);
  await bus.publish("order", {}, { id: "b" });
  await clock.advance(10_000);
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off("unhandledRejection", listen);
  expect([unhandled.map(String), handled]).toEqual([[], ["a", "b"]]);
});
