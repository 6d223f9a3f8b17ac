import { expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const retry = { attempts: 5, backoff: fixedBackoff(1_000) };

test("an event that waits for its next attempt when its handler leaves is set aside, not settled", async () => {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  const common = { destination: "orders", group: "g", deadLetter: true, retry };
  await bus.subscribe("order.a", () => undefined, common);
  const leaving = await bus.subscribe("order.b", () => Promise.reject(new Error("no")), common);
  await bus.publish("order.b", {}, { destination: "orders", id: "x" });
  await clock.advance(10);
  await leaving.close();
  await clock.advance(2_000);
  const letters = await createDeadLetterQueue({ bus, destination: "orders" });
  const found: unknown[] = [];
  for await (const { event, attempts } of letters.list()) found.push([event?.id, attempts]);
  expect(found).toEqual([["x", 1]]);
});

test("a release that names no group does not settle the event that carries it", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
  let calls = 0;
  await bus.subscribe(
    "order",
    () => {
      if (++calls === 1) throw new Error("not yet");
    },
    { destination: "orders", group: "g", retry },
  );
  const headers = ["ce-specversion", "1.0", "ce-id", "x", "ce-source", "/x", "ce-type", "order"];
  await memory.publish([
    { destination: "orders", body: "{}", headers: [...headers, "waybill-redrive-release", "any"] },
  ]);
  await clock.advance(10_000);
  expect(calls).toBe(2);
});
