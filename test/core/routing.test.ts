import { describe, expect, test, vi } from "vitest";
import { createEvent, createEventBus, EventError, type Route } from "waybill";
import { memoryTransport } from "waybill/memory";
import { chainTransport, headerOf } from "./chain-transport.ts";

function setUp(routes: readonly Route<"a" | "b">[], durable: { a?: boolean; b?: boolean } = {}) {
  const a = chainTransport("a", { durable: durable.a ?? false, groups: true, replay: true });
  const b = chainTransport("b", { durable: durable.b ?? false, groups: true, replay: true });
  return { a, b, bus: createEventBus({ source: "/t", transports: { a, b }, routes }) };
}

const code = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EventError);
  return (error as EventError).code;
};

describe("routes", () => {
  test("that work destinations out or look at the data carry requests and their answers", async () => {
    const bus = createEventBus({
      source: "/t",
      transports: { memory: memoryTransport() },
      routes: [
        { type: "price.*", to: "memory", when: ({ data }) => (data as { sku: string }).sku !== "" },
        { type: "**", to: "memory", destination: ({ type }) => `shop.${type}` },
      ],
    });
    await bus.respond("price.quote", ({ data }) => data, { destination: "price.quote" });
    expect((await bus.request("price.quote", { sku: "a" })).data).toEqual({ sku: "a" });
    await bus.respond("stock.count", () => 7, { destination: "shop.stock.count" });
    expect((await bus.request("stock.count", {})).data).toBe(7);
    await bus.close();
  });

  test("of types under a pattern are listened to as well, where there is no catalog", async () => {
    const bus = createEventBus({
      source: "/t",
      transports: { a: memoryTransport(), b: memoryTransport() },
      routes: [
        { type: "order.placed", to: "a" },
        { type: "**", to: "b" },
      ],
    });
    const seen: string[] = [];
    await bus.subscribe("order.*", ({ type }) => void seen.push(type));
    await bus.publish("order.placed", {});
    await bus.publish("order.paid", {});
    await vi.waitFor(() => expect(seen.toSorted()).toEqual(["order.paid", "order.placed"]));
    await bus.close();
  });

  test("pass an event on when their predicate does not hold", async () => {
    const large = ({ data }: { data: unknown }): boolean => (data as { amount: number }).amount > 100;
    const { bus } = setUp([
      { type: "order.*", to: "a", when: large },
      { type: "**", to: "b" },
    ]);
    expect(await bus.publish("order.placed", { amount: 101 })).toMatchObject({ transport: "a" });
    expect(await bus.publish("order.placed", { amount: 100 })).toMatchObject({ transport: "b" });
    const results = await bus.publishAll([
      { type: "order.placed", data: { amount: 101 } },
      { type: "order.placed", data: { amount: 1 } },
    ]);
    expect(results).toMatchObject([{ transport: "a" }, { transport: "b" }]);
  });

  test("that all pass an event on leave it without a way", async () => {
    const { bus } = setUp([{ type: "**", to: "a", when: () => false }]);
    expect(await code(bus.publish("order.placed", {}))).toBe("no-route");
    expect(await code(setUp([{ type: "x", to: "a" }]).bus.publish("order.placed", {}))).toBe("no-route");
  });

  test("give a destination, or work it out from the event", async () => {
    const { bus, a, b } = setUp([
      {
        type: "order.*",
        to: "a",
        destination: ({ data, key }) => `orders.${(data as { region: string }).region}.${key}`,
      },
      { type: "**", to: "b", destination: "rest" },
    ]);
    await bus.publish("order.placed", { region: "eu" }, { key: "k" });
    await bus.publish("cart.updated", {});
    await bus.publish("cart.updated", {}, { destination: "elsewhere" });
    expect(a.stored.map(({ destination }) => destination)).toEqual(["orders.eu.k"]);
    expect(b.stored.map(({ destination }) => destination)).toEqual(["rest", "elsewhere"]);
    for (const region of ["*", "a b", "", "eu.>", "\n"]) {
      expect(await code(bus.publish("order.placed", { region }, { key: "k" }))).toBe("invalid-destination");
    }
  });

  test("do not leave a durable transport for one that is not, unless told", () => {
    const chain = { type: "**", to: ["a", "b"] } as const;
    expect(() => setUp([chain], { a: true })).toThrow(expect.objectContaining({ code: "unsupported" }));
    expect(() => setUp([{ ...chain, allowDowngrade: true }], { a: true })).not.toThrow();
    expect(() => setUp([chain], { a: true, b: true })).not.toThrow();
    expect(() => setUp([chain], { b: true })).not.toThrow();
  });

  test("are refused when they name no transport", () => {
    expect(() => setUp([{ type: "**", to: [] }])).toThrow(EventError);
    expect(() => setUp([{ type: "**", to: ["a", "z" as "b"] }])).toThrow(/no transport "z"/);
  });

  test("let a subscriber listen wherever its events may be", async () => {
    const { bus, a, b } = setUp([
      { type: "order.*", to: "a", when: () => true, destination: "large" },
      { type: "order.*", to: ["b", "a"] },
      { type: "**", to: "a", destination: "never" },
    ]);
    await bus.subscribe("order.placed", () => undefined, { group: "g" });
    expect(a.consumed.flatMap(({ destinations }) => destinations).sort()).toEqual(["large", "order.placed"]);
    expect(b.consumed.map(({ destinations }) => destinations)).toEqual([["order.placed"]]);
    await bus.subscribe("order.placed", () => undefined, { group: "h", transport: "b" });
    expect([a.consumed.length, b.consumed.length]).toEqual([1, 2]);
  });

  test("that work a destination out ask a subscriber for one", async () => {
    const { bus, a } = setUp([{ type: "**", to: "a", destination: () => "x" }]);
    expect(await code(bus.subscribe("order.placed", () => undefined))).toBe("invalid-option");
    await bus.subscribe("order.placed", () => undefined, { destination: "x" });
    expect(a.consumed).toHaveLength(1);
  });

  test("leave what another made as it is", async () => {
    for (const to of ["a", ["a", "b"]] as const) {
      const { bus, a } = setUp([{ type: "**", to }]);
      const { time: _, ...event } = createEvent({
        type: "t",
        source: "/other",
        id: "1",
        extensions: { partitionkey: "k" },
      });
      await bus.forward(event);
      const [message] = a.stored;
      expect(message!.key).toBe("k");
      expect(headerOf(message!, "ce-source")).toBe("/other");
      expect(headerOf(message!, "ce-time")).toBeUndefined();
    }
  });

  test("see the key of what another made", async () => {
    const { bus } = setUp([
      { type: "**", to: "a", when: ({ key }) => key === "k" },
      { type: "**", to: "b" },
    ]);
    const event = createEvent({ type: "t", source: "/other", extensions: { partitionkey: "k" } });
    expect(await bus.forward(event)).toMatchObject({ transport: "a" });
  });

  test("events that are published one after the other leave in that order, whatever has to be loaded for them", async () => {
    const { bus, a } = setUp([{ type: "**", to: "a" }]);
    const all = bus.publishAll([
      { type: "t", data: 1 },
      { type: "t", data: 2 },
    ]);
    const one = bus.publish("t", 3);
    expect(bus.post("t", 4)).toBe(true);
    const more = bus.publishAll([{ type: "t", data: 5 }]);
    await Promise.all([all, one, more, bus.publish("t", 6)]);
    expect(a.stored.map(({ body }) => Number(body))).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
