import { expect, test } from "vitest";
import { createEventBus, type EventError, type Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import type { ChaosBus } from "./places.ts";
import { goesRound, ownWildcard, severalGroups } from "./same-stream-cases.ts";
import { report } from "./support/chaos.ts";

async function inMemory(work: (bus: ChaosBus, transport: Transport) => Promise<void>): Promise<void> {
  const transport = memoryTransport();
  const bus = createEventBus({ source: "/chaos", transports: { on: transport } });
  const errors: EventError[] = [];
  bus.onError((error) => {
    if (error.code !== "handler-failed") errors.push(error);
  });
  await work(bus, transport);
  expect(errors).toEqual([]);
  await bus.close();
}

test("letters under the subscriber's own wildcard: nobody handles them and there is no loop", () =>
  inMemory(async (bus, transport) => {
    const figures = await ownWildcard(bus, transport, "order.>", "order.placed");
    report(3, "memory, subscriber on order.>, letters at order.placed.dlq", { ...figures, "letters handled": 0 });
  }));

test("of several groups those that failed get one letter and one copy each, and the others nothing", () =>
  inMemory(async (bus, transport) => {
    report(3, "memory, three groups", await severalGroups(bus, transport, "orders"));
  }));

test("letters and copies within one window: none is taken for another, however often it goes round", () =>
  inMemory(async (bus, transport) => {
    report(3, "memory, letters at failed.orders", await goesRound(bus, transport, "orders", "failed.orders"));
  }));
