import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type CloudEvent, createEventBus, defineEvents, EventError, type PublishOptions, upcasters } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const schemaOf = (version: number): string => `https://shop.example/order-placed/${version}`;
const schema = v.object({ id: v.string(), cents: v.number(), currency: v.string() });

interface First {
  readonly id: string;
  readonly price: string;
}
interface Second {
  readonly id: string;
  readonly amount: number;
}

/** Version 1 had a type of its own, version 2 a `dataschema` of its own. */
const current = defineEvents({
  "order.placed": {
    schema,
    destination: "orders",
    dataschema: schemaOf(3),
    upcast: upcasters(
      {
        type: "order.placed.v1",
        up(data: First) {
          if (data.price === "") throw new Error("no price");
          return { id: data.id, amount: Number(data.price) };
        },
      },
      {
        dataschema: schemaOf(2),
        up: ({ id, amount }: Second) => ({ id, cents: Math.round(amount * 100), currency: "EUR" }),
      },
    ),
  },
});

function setUp() {
  const clock = fakeClock();
  const transport = memoryTransport({ clock });
  const bus = createEventBus({ source: "/new", events: current, transports: { memory: transport }, clock });
  const old = createEventBus({ source: "/old", transports: { memory: transport }, clock });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const send = (type: string, data: unknown, options: PublishOptions = {}) =>
    old.publish(type, data, { destination: "orders", key: "k", ...options });
  return { clock, bus, old, send, errors };
}

describe("an event of an older version", () => {
  test("reaches the handler of its type as it would be published now, and keeps who and when it was", async () => {
    const { bus, clock, send } = setUp();
    const seen: CloudEvent[] = [];
    await bus.subscribe("order.placed", (event) => void seen.push(event), { group: "g" });
    const time = "2020-01-01T00:00:00.123456789Z";
    await send("order.placed.v1", { id: "1", price: "12.5" }, { id: "e-1", time, subject: "s" });
    await send("order.placed", { id: "2", amount: 3 }, { dataschema: schemaOf(2) });
    await bus.publish("order.placed", { id: "3", cents: 7, currency: "USD" }, { key: "k" });
    await clock.advance(0);
    expect(seen.map(({ data }) => data)).toEqual([
      { id: "1", cents: 1250, currency: "EUR" },
      { id: "2", cents: 300, currency: "EUR" },
      { id: "3", cents: 7, currency: "USD" },
    ]);
    for (const event of seen) expect(event).toMatchObject({ type: "order.placed", dataschema: schemaOf(3) });
    expect(seen[0]).toMatchObject({ id: "e-1", source: "/old", time, subject: "s", extensions: { partitionkey: "k" } });
    expect(seen.every((event) => Object.isFrozen(event))).toBe(true);
  });

  test("reaches handlers of patterns, of batches and of requests", async () => {
    const { bus, clock, old, send } = setUp();
    const seen: unknown[] = [];
    await bus.subscribe("order.*", (event) => void seen.push(event.data.cents), { group: "pattern" });
    const batch = { maxEvents: 1, maxWaitMs: 0 };
    await bus.subscribe("order.placed", ([entry]) => void seen.push(entry!.event.data.cents), {
      group: "batch",
      batch,
    });
    await bus.respond("order.placed", (event) => ({ total: event.data.cents }), { group: "answers" });
    await send("order.placed.v1", { id: "1", price: "1" });
    await clock.advance(10);
    expect(seen).toEqual([100, 100]);
    const answering = old.request("order.placed.v1", { id: "1", price: "2" }, { destination: "orders" });
    await clock.advance(10);
    expect((await answering).data).toEqual({ total: 200 });
  });

  test("is given what it was: the upcaster sees the event as it came", async () => {
    const seen: CloudEvent[] = [];
    const events = defineEvents({
      a: {
        schema: v.number(),
        upcast: upcasters({
          type: "a.v1",
          destination: "a",
          up(data: number, event) {
            seen.push(event);
            return data;
          },
        }),
      },
    });
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const bus = createEventBus({ source: "/t", events, transports: { memory }, clock });
    const got: CloudEvent[] = [];
    await bus.subscribe("a", (event) => void got.push(event));
    await createEventBus({ source: "/old", transports: { memory } }).publish("a.v1", 1, {
      destination: "a",
      dataschema: "https://old.example",
    });
    await clock.advance(0);
    expect(seen[0]).toMatchObject({ type: "a.v1", dataschema: "https://old.example" });
    // What describes the old data does not describe the new.
    expect(got[0]).not.toHaveProperty("dataschema");
  });

  test("that cannot be lifted, or whose lifted data does not fit, is reported once and not repeated", async () => {
    const { bus, clock, send, errors } = setUp();
    const seen: unknown[] = [];
    await bus.subscribe("order.placed", (event) => void seen.push(event.data.id), { group: "g" });
    await send("order.placed.v1", { id: "1", price: "" }, { id: "e-1" });
    await send("order.placed.v1", { id: 2, price: "1" });
    await send("order.placed.v1", { id: "3", price: "1" });
    await clock.advance(60_000);
    expect(seen).toEqual(["3"]);
    expect(errors.map((error) => [error.code, error.retryable])).toEqual([
      ["invalid-data", false],
      ["invalid-data", false],
    ]);
    expect(errors[0]!.message).toBe('event e-1 of type "order.placed.v1" could not be lifted to "order.placed"');
    expect((errors[0]!.cause as Error).message).toBe("no price");
  });

  test("travels as it is where nothing is validated", async () => {
    const { bus, clock, send } = setUp();
    const seen: CloudEvent[] = [];
    await bus.subscribe("order.placed", (event) => void seen.push(event), { group: "g", validate: false });
    await send("order.placed.v1", { id: "1", price: "1" });
    await clock.advance(0);
    expect(seen[0]).toMatchObject({ type: "order.placed.v1", data: { id: "1", price: "1" } });
  });

  test("is looked for where it was published", async () => {
    const events = defineEvents({
      "cart.left": {
        schema: v.number(),
        upcast: upcasters({ type: "cart.abandoned", destination: "old-carts", up: (data: string) => Number(data) }),
      },
    });
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const bus = createEventBus({ source: "/t", events, transports: { memory }, clock });
    const old = createEventBus({ source: "/old", transports: { memory }, clock });
    const seen: number[] = [];
    await bus.subscribe("cart.left", (event) => void seen.push(event.data), { group: "g" });
    await old.publish("cart.abandoned", "7", { destination: "old-carts" });
    await bus.publish("cart.left", 8);
    await clock.advance(0);
    expect(seen.sort()).toEqual([7, 8]);
    const alone: number[] = [];
    await bus.subscribe("cart.left", (event) => void alone.push(event.data), { destination: "elsewhere" });
    await old.publish("cart.abandoned", "9", { destination: "old-carts" });
    await clock.advance(0);
    expect(alone).toEqual([]);
  });

  test("may be one without a dataschema, once the current version has one", async () => {
    const events = defineEvents({
      a: {
        schema: v.number(),
        dataschema: "urn:a:2",
        upcast: upcasters({ dataschema: null, up: (data: string) => Number(data) }),
      },
    });
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const bus = createEventBus({ source: "/t", events, transports: { memory }, clock });
    const old = createEventBus({ source: "/old", transports: { memory }, clock });
    const seen: unknown[] = [];
    const errors: string[] = [];
    bus.onError((error) => errors.push(error.code));
    await bus.subscribe("a", (event) => void seen.push(event.data));
    await old.publish("a", "7");
    await old.publish("a", 8, { dataschema: "urn:a:2" });
    await old.publish("a", "of a version that nobody told of", { dataschema: "urn:a:0" });
    await clock.advance(0);
    expect([seen.sort(), errors]).toEqual([[7, 8], ["invalid-data"]]);
  });
});

describe("a publisher", () => {
  test("writes the dataschema of its version, unless the call names another", async () => {
    const { bus, clock, old } = setUp();
    const seen: (string | undefined)[] = [];
    await old.subscribe("order.placed", (event) => void seen.push(event.dataschema), { destination: "orders" });
    const data = { id: "1", cents: 1, currency: "EUR" };
    await bus.publish("order.placed", data, { key: "k" });
    await bus.publish("order.placed", data, { key: "k", dataschema: "urn:other" });
    bus.post("order.placed", data, { key: "k" });
    await bus.publishAll([{ type: "order.placed", data, key: "k" }]);
    await clock.advance(0);
    expect(seen).toEqual([schemaOf(3), "urn:other", schemaOf(3), schemaOf(3)]);
  });
});

describe("refused as invalid-option", () => {
  const up = (data: unknown): never => data as never;
  const refused = async (work: () => unknown): Promise<string> => {
    const error = await (async () => work())().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EventError);
    expect((error as EventError).code).toBe("invalid-option");
    return (error as EventError).message;
  };
  const subscribed = (events: Parameters<typeof createEventBus>[0]["events"]) => () =>
    createEventBus({ source: "/t", events: events!, transports: { memory: memoryTransport() } }).subscribe(
      "a",
      () => undefined,
    );

  test("when it is defined: a version that nothing tells, two told alike, no function", async () => {
    expect(await refused(() => upcasters({ up }))).toContain("by type, by dataschema or by both");
    expect(await refused(() => upcasters({ type: "a", up }, { type: "a", up }))).toContain('{"type":"a"}');
    expect(await refused(() => upcasters({ type: "a", up: 1 as never }))).toContain("function");
  });

  test.each([
    ["the current type alone", { type: "a" }, {}],
    ["the current dataschema", { dataschema: "urn:1" }, { dataschema: "urn:1" }],
    ["no dataschema, as the current version", { dataschema: null }, {}],
  ])("when a bus first subscribes: a version told by %s", async (_, told, definition) => {
    const events = defineEvents({ a: { schema: v.number(), ...definition, upcast: upcasters({ ...told, up }) } });
    expect(await refused(subscribed(events))).toContain('version of "a"');
  });

  test("when a bus first subscribes: an older version that is another type, or another type's", async () => {
    const type = "b";
    const other = defineEvents({
      a: { schema: v.number(), upcast: upcasters({ type, up }) },
      b: { schema: v.number() },
    });
    expect(await refused(subscribed(other))).toBe('"a" has an older version "b", which "b" is or has too');
    const both = defineEvents({
      a: { schema: v.number(), upcast: upcasters({ type: "x", up }) },
      b: { schema: v.number(), upcast: upcasters({ type: "x", up }) },
    });
    expect(await refused(subscribed(both))).toBe('"b" has an older version "x", which "a" is or has too');
  });

  test("when a bus first subscribes: a dataschema that no event may have", async () => {
    expect(await refused(subscribed(defineEvents({ a: { schema: v.number(), dataschema: "" } })))).toContain(
      "dataschema",
    );
  });
});
