import { describe, expect, test, vi } from "vitest";
import { createEventBus, EventError, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { arktypeEvents, miniEvents, valibotEvents, zodEvents } from "./schemas.ts";

// One of the four for the types; at run time each in turn.
type Events = typeof zodEvents;
const synchronous: [string, Events][] = [
  ["zod", zodEvents],
  ["zod/mini", miniEvents as unknown as Events],
  ["valibot", valibotEvents as unknown as Events],
  ["arktype", arktypeEvents as unknown as Events],
];
const asynchronous = synchronous.filter(([name]) => name !== "arktype");
// zod tries a schema synchronously first and drops the promise of a check: one that rejects is unhandled, with any caller.
const rejecting = synchronous.filter(([name]) => name === "valibot");

function setUp(events: Events) {
  const clock = fakeClock();
  const transport = memoryTransport({ clock });
  const bus = createEventBus({ source: "/t", events, transports: { memory: transport }, clock });
  const plain = createEventBus({ source: "/plain", transports: { memory: transport }, clock });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  return { clock, bus, plain, errors };
}

describe.each(synchronous)("a catalog of %s", (_, events) => {
  test("sends the input and hands over the output, to handlers of events and of batches", async () => {
    const { bus, clock, plain } = setUp(events);
    const seen: unknown[] = [];
    await bus.subscribe("counted", (event) => void seen.push(event.data.n), { group: "one" });
    const batch = { maxEvents: 1, maxWaitMs: 0 };
    await bus.subscribe("counted", ([entry]) => void seen.push(entry!.event.data.n), { group: "many", batch });
    await plain.subscribe("counted", (event) => void seen.push(event.data), { group: "raw" });
    await bus.publish("counted", { id: "a", n: "7" });
    expect(bus.post("counted", { id: "a", n: "8" })).toBe(true);
    await clock.advance(10);
    expect(seen).toHaveLength(6);
    for (const expected of [7, 8, { id: "a", n: "7" }, { id: "a", n: "8" }]) expect(seen).toContainEqual(expected);
  });

  test("refuses what does not fit, saying where", async () => {
    const { bus, clock, errors, plain } = setUp(events);
    const wrong = { id: "a", n: 7 } as never;
    await expect(bus.publish("counted", wrong)).rejects.toMatchObject({
      code: "invalid-data",
      retryable: false,
      message: expect.stringMatching(/^counted does not fit its schema: n: /),
    });
    expect(() => bus.post("counted", wrong)).toThrow(expect.objectContaining({ code: "invalid-data" }));
    const [result] = await bus.publishAll([{ type: "counted", data: wrong }]);
    expect(result).toMatchObject({ code: "invalid-data" });
    await bus.subscribe("counted", () => undefined, { group: "g" });
    await plain.publish("counted", wrong);
    await clock.advance(5000);
    expect(errors.map((error) => error.code)).toEqual(["invalid-data"]);
  });

  test("validates replies on both sides", async () => {
    const { bus, clock, errors } = setUp(events);
    await bus.respond("asked", (event) => ({
      name: event.data.name,
      n: event.data.name === "bad" ? (7 as never) : "7",
    }));
    const reply = bus.request("asked", { name: "free" });
    await clock.advance(0);
    expect((await reply).data).toEqual({ name: "free", n: 7 });
    const failed = bus.request("asked", { name: "bad" }).catch((error: EventError) => error);
    await clock.advance(0);
    expect(await failed).toMatchObject({ code: "remote-error" });
    expect(errors.map((error) => error.code)).toEqual(["invalid-data"]);
  });
});

describe.each(asynchronous)("an asynchronous schema of %s", (_, events) => {
  test("is awaited by publish and publishAll", async () => {
    const { bus } = setUp(events);
    await expect(bus.publish("named", { name: "free" })).resolves.toMatchObject({ stored: "broker" });
    await expect(bus.publish("named", { name: "taken" })).rejects.toMatchObject({
      code: "invalid-data",
      message: "named does not fit its schema: name: taken already",
    });
    const results = await bus.publishAll([
      { type: "named", data: { name: "taken" } },
      { type: "named", data: { name: "free" } },
    ]);
    expect(results).toMatchObject([{ code: "invalid-data" }, { stored: "broker" }]);
  });

  test("is refused by post, which leaves no rejection behind", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { bus, clock, plain } = setUp(events);
    const seen: unknown[] = [];
    await plain.subscribe("named", (event) => void seen.push(event));
    for (const name of ["free", "taken"]) {
      expect(() => bus.post("named", { name })).toThrow(expect.objectContaining({ code: "schema-async" }));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(0);
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(seen).toEqual([]);
  });

  test("is awaited on arrival, also by batches, where one failure is no other's", async () => {
    const { bus, clock, plain, errors } = setUp(events);
    const seen: string[] = [];
    await bus.subscribe("named", (event) => void seen.push(`one ${event.data.name}`), { group: "one" });
    await bus.subscribe("named", (entries) => void seen.push(`many ${entries.map(({ event }) => event.data.name)}`), {
      group: "many",
      batch: { maxEvents: 3, maxWaitMs: 100 },
    });
    for (const name of ["free", "taken", "new"]) await plain.publish("named", { name }, { key: "k" });
    await clock.advance(0);
    expect(seen.sort()).toEqual(["many free,new", "one free", "one new"]);
    expect(errors.map((error) => error.code)).toEqual(["invalid-data", "invalid-data"]);
  });

  test("is awaited for replies", async () => {
    const { bus, clock } = setUp(events);
    await bus.respond("asked", (event) => ({ name: event.data.name, n: "7" }));
    const answers = ["free", "taken"].map((name) => bus.request("asked", { name }).catch((error: EventError) => error));
    await clock.advance(0);
    expect(await answers[0]).toMatchObject({ data: { name: "free", n: 7 } });
    expect(await answers[1]).toMatchObject({ code: "remote-error" });
  });
});

describe.each(rejecting)("an asynchronous schema of %s that fails itself", (_, events) => {
  test("is an EventError, which may be tried again", async () => {
    const { bus, clock, plain, errors } = setUp(events);
    const failed = await bus.publish("named", { name: "broken" }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(EventError);
    expect(failed).toMatchObject({ code: "invalid-data", retryable: true, message: "the look-up failed" });
    await bus.subscribe("named", () => undefined, { group: "g", retry: { backoff: fixedBackoff(1_000) } });
    await plain.publish("named", { name: "broken" });
    await clock.advance(1500);
    expect(errors.map((error) => error.code)).toEqual(["invalid-data", "invalid-data"]);
  });

  test("leaves no rejection behind when post refuses it", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { bus } = setUp(events);
    expect(() => bus.post("named", { name: "broken" })).toThrow(expect.objectContaining({ code: "schema-async" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
