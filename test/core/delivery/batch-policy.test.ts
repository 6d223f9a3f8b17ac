import { expect, test } from "vitest";
import { createEventBus, defineEvents, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

let asked = 0;
const schema = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: async (value: unknown) => {
      if (++asked === 2) throw new Error("the registry is away");
      return { value: value as { n: number } };
    },
  },
};

test.each([[false], [true]])("a schema that fails for a moment is asked again, batch %s", async (batch) => {
  const clock = fakeClock();
  const bus = createEventBus({
    source: "/shop",
    events: defineEvents({ order: { schema } }),
    transports: { memory: memoryTransport({ clock }) },
    clock,
  });
  let handled = 0;
  const options = { group: "g", deadLetter: true, retry: { attempts: 3, backoff: fixedBackoff(10) } };
  if (batch)
    await bus.subscribe(
      "order",
      ({ length }) => {
        handled += length;
      },
      {
        ...options,
        batch: { maxEvents: 5, maxWaitMs: 0 },
      },
    );
  else await bus.subscribe("order", () => void handled++, options);
  asked = 0; // once by the publisher, then by the receiver
  await bus.publish("order", { n: 1 });
  await clock.advance(1_000);
  expect(handled).toBe(1);
});

test.each([[false], [true]])(
  "an event that kills its process again and again is set aside, batch %s",
  async (batch) => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock, partitions: 1 });
    // Broker redeliveries as after a death: the lane's attempt number grows, nobody settles.
    const wrapped = {
      ...memory,
      consume: (source: never, sink: { deliver(d: unknown): void }) =>
        memory.consume(source, {
          ...(sink as object),
          deliver: (d: { attempt: number }) =>
            sink.deliver(new Proxy(d, { get: (t, p) => (p === "attempt" ? 2 : Reflect.get(t, p)) })),
        } as never),
    } as typeof memory;
    const deaths = 20;
    let calls = 0;
    let bus = createEventBus({ source: "/shop", transports: { memory: wrapped }, clock });
    await memory.ensure!({ role: "dead-letter", source: "order" });
    await bus.publish("order", {});
    for (let n = 0; n < deaths; n++) {
      bus = createEventBus({ source: "/shop", transports: { memory: wrapped }, clock });
      const options = { group: "g", deadLetter: true, retry: { attempts: 2, backoff: fixedBackoff(10) } };
      const never = () => {
        calls++;
        return new Promise<void>(() => undefined);
      };
      const subscription = batch
        ? await bus.subscribe("order", never, { ...options, batch: { maxEvents: 1, maxWaitMs: 0 } })
        : await bus.subscribe("order", never, options);
      await clock.advance(5);
      const closing = subscription.close({ deadlineMs: 0 });
      await clock.advance(1);
      await closing;
    }
    let letters = 0;
    for await (const _ of memory.read!({ destination: "order.dlq" })) letters++;
    expect([letters, calls < deaths]).toEqual([1, true]);
  },
);
