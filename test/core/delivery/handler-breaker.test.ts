import { describe, expect, test } from "vitest";
import { type BreakerStatus, createEventBus, EventError, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

function setUp(concurrency = 1) {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, partitions: 1 });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
  const states: string[] = [];
  bus.onStatus((status) => {
    if (status.type === "breaker") states.push((status as BreakerStatus).state);
  });
  const calls: [string, number, number][] = [];
  let away = true;
  const startMs = clock.now();
  const listen = (fail: () => unknown = () => new Error("the bank is away")): Promise<unknown> =>
    bus.subscribe(
      "order",
      async ({ id }, { attempt }) => {
        calls.push([id, attempt, clock.now() - startMs]);
        await undefined;
        if (away) throw fail();
      },
      {
        group: "g",
        concurrency,
        deadLetter: true,
        retry: { attempts: 5, backoff: fixedBackoff(100) },
        breaker: { failures: 3, openMs: 10_000 },
      },
    );
  const place = async (...ids: string[]): Promise<void> => {
    for (const id of ids) await bus.publish("order", {}, { id, key: id });
  };
  const letters = async (): Promise<number> => {
    let found = 0;
    for await (const _ of memory.read!({ destination: "order.dlq" })) found++;
    return found;
  };
  return { clock, bus, states, calls, listen, place, letters, heal: () => (away = false) };
}

describe("a breaker around handlers", () => {
  test("opens after failures in a row, lets one event try after a while, and burns no attempt meanwhile", async () => {
    const { clock, states, calls, listen, place, letters, heal } = setUp();
    await listen();
    await place("a", "b", "c", "d");
    await clock.advance(60_000);
    // Three opened it; then one try every ten seconds.
    expect(calls.length).toBe(3 + 6);
    expect(states.slice(0, 3)).toEqual(["open", "half-open", "open"]);
    await clock.advance(600_000);
    expect([Math.max(...calls.map(([, attempt]) => attempt)) <= 3, await letters()]).toEqual([true, 0]);
    heal();
    const before = calls.length;
    await clock.advance(30_000);
    expect(
      calls
        .slice(before)
        .map(([id]) => id)
        .sort(),
    ).toEqual(["a", "b", "c", "d"]);
    expect([states.at(-1), await letters()]).toEqual(["closed", 0]);
  });

  test("lets no more than one through while it tries, however many may run", async () => {
    const { clock, calls, listen, place } = setUp(8);
    await listen();
    await place(...Array.from({ length: 40 }, (_, n) => `e${n}`));
    await clock.advance(1_000);
    const before = calls.length;
    await clock.advance(10_000);
    expect(calls.length - before).toBe(1);
  });

  test("takes no notice of events that are themselves to blame", async () => {
    const { clock, states, calls, listen, place, letters } = setUp();
    await listen(() => new EventError("invalid-data", "this one is wrong"));
    await place("a", "b", "c", "d", "e");
    await clock.advance(5_000);
    expect([states, calls.length, await letters()]).toEqual([[], 5, 5]);
  });

  test("tries with the next event that comes when none waits", async () => {
    const { clock, bus, states, calls, listen, place, heal } = setUp();
    await listen();
    await place("a");
    await clock.advance(5_000);
    heal();
    await clock.advance(100_000);
    expect([states.at(-1), calls.length]).toEqual(["closed", 4]);
    await bus.close();
    expect(clock.pending).toBe(0);
  });

  test("does not keep a close waiting", async () => {
    const { clock, bus, listen, place } = setUp();
    await listen();
    await place("a", "b", "c", "d");
    await clock.advance(1_000);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(clock.pending).toBe(0);
  });
});
