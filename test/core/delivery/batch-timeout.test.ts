import { expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("a batch that takes too long is told by its signal", async () => {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  const told: boolean[] = [];
  let signals: AbortSignal[] = [];
  await bus.subscribe(
    "order",
    (entries, batch) => {
      signals = [batch.signal, entries[0]!.delivery.signal];
      return new Promise<void>(() => undefined);
    },
    {
      group: "g",
      deadLetter: true,
      retry: { attempts: 5, backoff: fixedBackoff(10_000) },
      timeoutMs: 100,
      batch: { maxEvents: 5, maxWaitMs: 0 },
    },
  );
  await bus.publish("order", {});
  await clock.advance(200);
  told.push(...signals.map(({ aborted }) => aborted));
  expect(told).toEqual([true, true]);
});
