import { describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

async function stalls(batch: boolean, probe: (memory: ReturnType<typeof memoryTransport>) => Promise<unknown>) {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, partitions: 1 });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
  let away = true;
  const done: string[] = [];
  const options = {
    destination: "orders",
    group: "g",
    order: "none" as const,
    deadLetter: true,
    retry: { attempts: 5, backoff: fixedBackoff(600_000) },
    breaker: { failures: 2, openMs: 10_000 },
  };
  if (batch) {
    await bus.subscribe(
      "order",
      (entries) => {
        for (const { event, delivery } of entries) {
          if (away) delivery.fail(new Error("away"));
          else done.push(event.id);
        }
      },
      { ...options, batch: { maxEvents: 1, maxWaitMs: 0 } },
    );
  } else {
    await bus.subscribe(
      "order",
      ({ id }) => {
        if (away) throw new Error("away");
        done.push(id);
      },
      options,
    );
  }
  await bus.publish("order", {}, { destination: "orders", id: "a" });
  await bus.publish("order", {}, { destination: "orders", id: "b" });
  await clock.advance(1);
  await probe(memory);
  await bus.publish("order", {}, { destination: "orders", id: "c" });
  away = false;
  await clock.advance(60_000);
  return done.includes("c");
}
const other = (memory: ReturnType<typeof memoryTransport>) =>
  memory.publish([
    {
      destination: "orders",
      key: undefined,
      body: "{}",
      headers: ["ce-specversion", "1.0", "ce-id", "x", "ce-source", "/x", "ce-type", "another"],
      dedupId: undefined,
    },
  ]);
const copy = (memory: ReturnType<typeof memoryTransport>) =>
  memory.publish([
    {
      destination: "orders",
      key: undefined,
      body: "{}",
      headers: [
        "ce-specversion",
        "1.0",
        "ce-id",
        "x",
        "ce-source",
        "/x",
        "ce-type",
        "order",
        "waybill-only-group",
        "another",
      ],
      dedupId: undefined,
    },
  ]);

describe("an event that no handler takes does not use up the breaker's trial", () => {
  test.each([[false], [true]])("another type, batch %s", async (batch) =>
    expect(await stalls(batch, other)).toBe(true),
  );
  test.each([[false], [true]])("another group's copy, batch %s", async (batch) =>
    expect(await stalls(batch, copy)).toBe(true),
  );
});
