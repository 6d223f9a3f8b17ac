import { expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("the second handler of a group without dead letters loses nothing", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const durable: Transport = { ...memory, capabilities: { ...memory.capabilities, durable: true } };
  const bus = createEventBus({ source: "/shop", transports: { durable }, clock });
  const common = { destination: "orders", group: "g" };
  await bus.subscribe("order.a", () => undefined, { ...common, deadLetter: false });
  let away = true;
  let handled = 0;
  await bus.subscribe(
    "order.b",
    () => {
      if (away) throw new Error("the bank is away");
      handled++;
    },
    { ...common, retry: { backoff: fixedBackoff(1_000) } },
  );
  await bus.publish("order.b", {}, { destination: "orders" });
  await clock.advance(60_000);
  away = false;
  await clock.advance(60_000);
  let letters = 0;
  await durable.ensure!({ role: "dead-letter", source: "orders" });
  for await (const _ of durable.read!({ destination: "orders.dlq" })) letters++;
  expect(handled + letters).toBe(1);
});
