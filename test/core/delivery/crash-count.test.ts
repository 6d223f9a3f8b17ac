import { expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

test("restarts are no crashes", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, partitions: 1 });
  await memory.ensure!({ role: "dead-letter", source: "order" });
  const give = {
    group: "g",
    order: "none" as const,
    deadLetter: true,
    retry: { attempts: 2, backoff: fixedBackoff(10) },
  };
  // As JetStream: a delivery that was given back has the next number.
  const wrapped = {
    ...memory,
    consume: (source: never, sink: { deliver(d: unknown): void }) =>
      memory.consume(source, {
        ...(sink as object),
        deliver: (d: { attempt: number }) =>
          sink.deliver(
            new Proxy(d, {
              get: (t, p) => {
                const v = Reflect.get(t, p);
                return p === "attempt" ? 2 : typeof v === "function" ? v.bind(t) : v;
              },
            }),
          ),
      } as never),
  } as typeof memory;
  const publisher = createEventBus({ source: "/shop", transports: { memory }, clock });
  await publisher.publish("order", {});
  for (let n = 0; n < 8; n++) {
    const bus = createEventBus({
      source: "/shop",
      transports: { memory: { ...wrapped, close: async () => ({ unsent: 0, unsettled: 0 }) } },
      clock,
    });
    let fail = (): void => undefined;
    await bus.subscribe(
      "order",
      () => new Promise<void>((_, reject) => (fail = () => reject(new EventError("closed", "the bus is closed")))),
      give,
    );
    await clock.advance(5);
    const closing = bus.close();
    await clock.advance(1);
    fail();
    await clock.advance(1);
    await closing;
  }
  let handled = 0;
  const bus = createEventBus({ source: "/shop", transports: { memory: wrapped }, clock });
  await bus.subscribe("order", () => void handled++, give);
  await clock.advance(100);
  expect(handled).toBe(1);
});
