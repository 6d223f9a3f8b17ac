import { expect, test } from "vitest";
import { createEventBus, type SubscribeOptions } from "waybill";
import { memoryIdempotency, memoryTransport } from "waybill/memory";
import { type FakeClock, fakeClock } from "waybill/testing";

const given: [string, (clock: FakeClock) => SubscribeOptions<"memory">][] = [
  ["a limit of time", () => ({ timeoutMs: 300_000 })],
  ["claims", (clock) => ({ idempotency: { store: memoryIdempotency({ clock }) } })],
];

test.each(given)("%s leaves no timer behind a bus that closes", async (_, options) => {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  await bus.subscribe("order", async () => undefined, { group: "g", ...options(clock) });
  await bus.respond("quote", () => ({ price: 5 }), { group: "g", ...options(clock) });
  await bus.publish("order", {});
  const asked = bus.request("quote", {});
  await clock.advance(10);
  expect((await asked).data).toEqual({ price: 5 });
  await bus.close();
  expect(clock.pending).toBe(0);
});

test.each(given)("%s leaves no timer behind one of several handlers that closes", async (_, options) => {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  const shared = { group: "g", destination: "all" };
  await bus.subscribe("other", () => undefined, shared);
  const idle = clock.pending;
  const one = await bus.subscribe("order", async () => undefined, { ...shared, ...options(clock) });
  await bus.publish("order", {}, { destination: "all" });
  await clock.advance(10);
  await one.close();
  expect(clock.pending).toBe(idle);
});
