import { expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("a handler that escalates and joins one that does not is refused, or escalates", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const log: Transport = { ...memory, capabilities: { ...memory.capabilities, contiguous: true } };
  const bus = createEventBus({ source: "/shop", transports: { log }, clock });
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listen);
  const common = { destination: "orders", group: "g", deadLetter: true };
  const calls: number[] = [];
  await bus.subscribe("order.a", () => undefined, common);
  const joined = await bus
    .subscribe(
      "order.b",
      (_, { attempt }) => {
        calls.push(attempt);
        throw new Error("no");
      },
      { ...common, retry: { attempts: 3, backoff: fixedBackoff(300_000), maxInPlaceMs: 1_000, escalate: "topic" } },
    )
    .then(
      () => true,
      () => false,
    );
  if (!joined) return;
  await bus.publish("order.b", {}, { destination: "orders" });
  await clock.advance(2_000_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", listen);
  expect([unhandled.map(String), calls]).toEqual([[], [1, 2, 3]]);
});
