import { describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

/** Memory that says of itself what Kafka does: what waits holds up what lies behind it. */
function setUp() {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const log: Transport = { ...memory, capabilities: { ...memory.capabilities, contiguous: true } };
  const bus = createEventBus({ source: "/shop", transports: { log }, clock });
  const calls: [string, number, number, string][] = [];
  const failing = new Map<string, number>();
  const startMs = clock.now();
  const join = (group: string, escalate: boolean): Promise<unknown> =>
    bus.subscribe(
      "order",
      ({ id }, { attempt, destination }) => {
        calls.push([`${group} ${id}`, attempt, clock.now() - startMs, destination]);
        const left = failing.get(id) ?? 0;
        if (group === "g" && left > 0) failing.set(id, left - 1);
        if (group === "g" && left > 0) throw new Error(`not yet ${id}`);
      },
      {
        group,
        deadLetter: true,
        retry: {
          attempts: 4,
          backoff: fixedBackoff(300_000),
          maxInPlaceMs: 1_000,
          ...(escalate && { escalate: "topic" as const }),
        },
      },
    );
  return { clock, memory, bus, calls, failing, join };
}

describe("a wait that is longer than an event may wait in place", () => {
  test("is cut to that, unless told otherwise", async () => {
    const { clock, bus, calls, failing, join } = setUp();
    failing.set("a", 2);
    await join("g", false);
    await bus.publish("order", {}, { id: "a" });
    await clock.advance(10_000);
    expect(calls.map(([, attempt, atMs]) => [attempt, atMs])).toEqual([
      [1, 0],
      [2, 1_000],
      [3, 2_000],
    ]);
  });

  test("moves the event aside: its key goes on, it comes again when it is due, with its attempts", async () => {
    const { clock, bus, calls, failing, join } = setUp();
    failing.set("a", 2);
    await join("g", true);
    await join("other", true);
    await bus.publish("order", {}, { id: "a", key: "k" });
    await bus.publish("order", {}, { id: "b", key: "k" });
    await clock.advance(1_000_000);
    expect(calls.filter(([who]) => who.startsWith("g"))).toEqual([
      ["g a", 1, 0, "order"],
      ["g b", 1, 0, "order"],
      ["g a", 2, 300_000, "order"],
      ["g a", 3, 600_000, "order"],
    ]);
    expect(calls.filter(([who]) => who.startsWith("other")).length).toBe(2);
  });

  test("ends with a dead letter of where the event came from", async () => {
    const { clock, bus, failing, join } = setUp();
    failing.set("a", 99);
    await join("g", true);
    await bus.publish("order", {}, { id: "a", key: "k" });
    await clock.advance(2_000_000);
    const queue = await createDeadLetterQueue({ bus, destination: "order" });
    const letters: unknown[] = [];
    for await (const { event, attempts, origin } of queue.list())
      letters.push([event?.id, attempts, origin.destination]);
    expect(letters).toEqual([["a", 4, "order"]]);
    failing.set("a", 0);
    expect(await queue.redrive()).toMatchObject({ redriven: 1 });
  });

  test("is refused where nothing is held up, since the broker keeps any wait", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
    const wanted = bus.subscribe("order", () => undefined, { group: "g", retry: { escalate: "topic" } });
    await expect(wanted).rejects.toMatchObject({ code: "unsupported" });
  });
});
