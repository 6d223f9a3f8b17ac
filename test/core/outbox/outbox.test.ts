import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { StackContextManager } from "@opentelemetry/sdk-trace-web";
import fc from "fast-check";
import * as v from "valibot";
import { afterEach, describe, expect, test } from "vitest";
import {
  b3,
  type CloudEvent,
  createEventBus,
  defineEvents,
  type EventBus,
  EventError,
  type HandlerDelivery,
  type PublishOptions,
} from "waybill";
import { memoryTransport } from "waybill/memory";
import { createOutbox, memoryOutbox } from "waybill/outbox";
import { fakeClock } from "waybill/testing";
import { formats, plain } from "../codec/arbitrary-events.ts";

const slow = v.pipeAsync(
  v.object({ n: v.number() }),
  v.checkAsync(async ({ n }) => n >= 0),
);
const events = defineEvents({
  "order.placed": {
    schema: v.object({
      orderId: v.pipe(v.string(), v.minLength(1)),
      at: v.pipe(
        v.string(),
        v.transform((text) => new Date(text)),
      ),
    }),
    destination: "orders",
    dataschema: "/schemas/order-2",
    key: (data) => data.orderId,
  },
  slow: { schema: slow },
  large: { schema: v.string() },
  nowhere: { schema: v.unknown() },
});
const order = { orderId: "o-1", at: "2026-01-01T00:00:00Z" };

interface Arrived {
  readonly event: CloudEvent;
  readonly delivery: HandlerDelivery;
}

function setUp(given: Partial<Parameters<typeof createEventBus>[0]> = {}) {
  const clock = fakeClock();
  const bus = createEventBus({
    source: "/shop",
    events,
    transports: { memory: memoryTransport({ clock, partitions: 1 }), other: memoryTransport({ clock }) },
    routes: [
      { type: "order.**", to: "memory" },
      { type: "slow", to: "memory" },
      { type: "large", to: "memory" },
    ],
    clock,
    ...(given as object),
  });
  const store = memoryOutbox({ clock });
  const outbox = createOutbox({ bus, store });
  const arrived: Arrived[] = [];
  const listen = (destination: string, transport: "memory" | "other" = "memory") =>
    bus.subscribe(
      "order.placed",
      (event, delivery) =>
        void arrived.push({ event: event as CloudEvent, delivery: delivery as unknown as HandlerDelivery }),
      { destination, transport, from: "earliest" },
    );
  return { clock, bus, store, outbox, arrived, listen };
}

describe("an event by the outbox", () => {
  test("arrives as it was added: with its id, time, schema and key, at its type's destination", async () => {
    const { clock, store, outbox, arrived, listen } = setUp();
    const added = await store.transaction((tx) =>
      outbox.add(tx, "order.placed", order, { subject: "o-1", extensions: { tenant: "acme" } }),
    );
    const time = new Date(clock.now()).toISOString();
    await clock.advance(60_000);
    await using relay = await outbox.relay();
    await listen("orders");
    await clock.advance(0);
    expect(relay.published).toBe(1);
    expect(added).toMatchObject({ source: "/shop", type: "order.placed", time, subject: "o-1", data: order });
    const [{ event, delivery }] = arrived as [Arrived];
    expect(plain(event)).toEqual({
      ...plain(added),
      data: { ...order, at: new Date(order.at) },
      datacontenttype: "application/json",
    });
    expect(event.dataschema).toBe("/schemas/order-2");
    expect({ ...event.extensions }).toEqual({ partitionkey: "o-1", tenant: "acme" });
    expect(delivery.key).toBe("o-1");
  });

  test("goes where the caller says", async () => {
    const { clock, store, outbox, arrived, listen } = setUp();
    await store.transaction(async (tx) => {
      await outbox.add(tx, "order.placed", order, { destination: "archive", transport: "other", key: "k", id: "e-1" });
    });
    await using relay = await outbox.relay();
    await listen("archive", "other");
    await clock.advance(0);
    expect(relay.published).toBe(1);
    expect([arrived[0]!.event.id, arrived[0]!.delivery.key]).toEqual(["e-1", "k"]);
  });

  test("has a key by its extension too, and that orders it", async () => {
    const { store, outbox, clock } = setUp();
    await store.transaction((tx) => outbox.add(tx, "large", "x", { extensions: { partitionkey: "k" } }));
    const lead = await store.lead();
    const [row] = await lead!.take({ limit: 1, busyIds: [], busyKeys: [] });
    expect(row?.key).toBe("k");
    await lead!.close();
    await clock.advance(0);
  });

  test("is published at once when the outbox is notified, and repeated with the same dedup id", async () => {
    const { clock, bus, store, outbox, arrived, listen } = setUp();
    await listen("orders");
    await using relay = await outbox.relay({ pollMs: 60_000 });
    await clock.advance(1);
    const event = await store.transaction((tx) => outbox.add(tx, "order.placed", order));
    outbox.notify();
    await clock.advance(0);
    expect([relay.published, arrived.length]).toEqual([1, 1]);
    // What a relay does that died before it marked the row.
    expect(await bus.forward(event, { key: "o-1" })).toMatchObject({ duplicate: true });
    expect(arrived).toHaveLength(1);
    await relay.close();
    await store.transaction((tx) => outbox.add(tx, "order.placed", order));
    outbox.notify();
    await clock.advance(120_000);
    expect(arrived).toHaveLength(1);
  });

  test("that has a cause carries its correlation on", async () => {
    const { store, outbox } = setUp();
    const [first, second, own] = await store.transaction(async (tx) => {
      const root = await outbox.add(tx, "large", "x", { id: "root" });
      const first = await outbox.add(tx, "large", "x", { cause: root, id: "first" });
      const second = await outbox.add(tx, "large", "x", { cause: first, key: "k" });
      const own = await outbox.add(tx, "large", "x", { cause: first, extensions: { correlationid: "own" } });
      return [first, second, own] as const;
    });
    expect({ ...first.extensions }).toEqual({ correlationid: "root", causationid: "root" });
    expect({ ...second.extensions }).toEqual({ correlationid: "root", causationid: "first", partitionkey: "k" });
    expect({ ...own.extensions }).toEqual({ correlationid: "own", causationid: "first" });
  });

  test("is typed by the catalog", async () => {
    const { store, outbox } = setUp();
    const wrong = store.transaction(async (tx) => {
      // @ts-expect-error: no such type
      await outbox.add(tx, "order.paid", {}).catch(() => undefined);
      // @ts-expect-error: no such transport
      await outbox.add(tx, "large", "x", { transport: "kafka" }).catch(() => undefined);
      // @ts-expect-error: its data is an object
      await outbox.add(tx, "order.placed", "o-1");
    });
    await expect(wrong).rejects.toMatchObject({ code: "invalid-data" });
  });
});

describe("what could not be published is refused in the transaction", () => {
  const { bus, store, outbox } = setUp({ limits: { maxEventBytes: 1_000 } });
  const any = outbox as unknown as ReturnType<typeof createOutbox<Record<string, never>, Record<string, never>, never>>;
  const add = (type: string, data: unknown, options: object = {}) =>
    store.transaction((tx) => (any.add as (...given: unknown[]) => Promise<unknown>)(tx, type, data, options));

  test.each([
    ["unknown-type", "order.paid", {}, {}],
    ["unknown-type", "order.paid", {}, { transport: "memory" }],
    ["no-route", "nowhere", {}, {}],
    ["invalid-data", "order.placed", { orderId: "", at: "x" }, {}],
    ["invalid-data", "slow", { n: -1 }, {}],
    ["invalid-data", "order.placed", undefined, {}],
    ["invalid-option", "large", "x", { transport: "kafka" }],
    ["invalid-destination", "large", "x", { destination: "a..b" }],
    ["invalid-destination", "large", "x", { destination: "a.*" }],
    ["invalid-event", "large", "x", { key: "" }],
    ["invalid-event", "large", "x", { id: "a\nb" }],
    ["invalid-event", "large", "x", { time: "yesterday" }],
    ["invalid-event", "large", "x", { extensions: { "not-a-name": "x" } }],
    ["too-large", "large", "x".repeat(999), {}],
    ["too-large", "large", "é".repeat(500), {}],
    ["invalid-event", "large", "x", { dataschema: "" }],
  ])("%s: %s", async (code, type, data, options) => {
    await expect(add(type, data, options)).rejects.toMatchObject({ code });
    expect(await store.stats()).toMatchObject({ pending: 0 });
  });

  test("also data that has no JSON", async () => {
    const untyped = createOutbox({
      bus: createEventBus({ source: "/s", transports: { m: memoryTransport() } }),
      store,
    });
    for (const [data, options] of [
      [() => 1, {}],
      [{ n: 1 }, { datacontenttype: "text/plain" }],
    ] as const) {
      const added = store.transaction((tx) => untyped.add(tx, "t", data, options));
      await expect(added).rejects.toMatchObject({ code: "invalid-data" });
    }
    await expect(store.transaction((tx) => untyped.add(tx, "t", { n: 1n }))).rejects.toMatchObject({
      code: "invalid-data",
    });
  });

  test("up to the last byte it is taken", async () => {
    await add("large", "é".repeat(499));
    expect(await store.stats()).toMatchObject({ pending: 1 });
  });

  test("and so is everything once the bus is closed", async () => {
    await bus.close();
    await expect(add("large", "x")).rejects.toMatchObject({ code: "closed" });
    expect(() => createOutbox({ bus: {} as EventBus, store })).toThrow(
      expect.objectContaining({ code: "invalid-option" }),
    );
  });
});

describe("the context of the caller", () => {
  afterEach(() => context.disable());
  const caller = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
  const baggage = propagation.createBaggage({ tenant: { value: "acmé, inc" } });
  const given = propagation.setBaggage(trace.setSpanContext(ROOT_CONTEXT, caller), baggage);

  test.each([
    ["W3C's formats", undefined],
    ["another propagator", b3()],
  ])("is there when the relay publishes, by %s", async (_, propagator) => {
    const { clock, store, outbox, arrived, listen } = setUp({ ...(propagator && { propagator }) });
    await listen("orders");
    await store.transaction((tx) => outbox.add(tx, "order.placed", order, { context: given }));
    await using _relay = await outbox.relay();
    await clock.advance(0);
    const { context: handled, headers } = arrived[0]!.delivery;
    expect(trace.getSpanContext(handled)).toMatchObject({ traceId: caller.traceId, spanId: caller.spanId });
    if (propagator) expect(headers.get("b3")).toBe(`${caller.traceId}-${caller.spanId}-1`);
    else expect(propagation.getBaggage(handled)?.getEntry("tenant")?.value).toBe("acmé, inc");
  });

  test("is the active one, before anything is awaited", async () => {
    context.setGlobalContextManager(new StackContextManager().enable());
    const { clock, store, outbox, arrived, listen } = setUp();
    await listen("orders");
    await store.transaction((tx) => context.with(given, () => outbox.add(tx, "order.placed", order)));
    await using _relay = await outbox.relay();
    await clock.advance(0);
    expect(trace.getSpanContext(arrived[0]!.delivery.context)?.traceId).toBe(caller.traceId);
  });

  test("is the parent of the span that publishes, so that there is one trace", async () => {
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    const { clock, store, outbox, listen } = setUp({ tracerProvider });
    await listen("orders");
    await store.transaction((tx) => outbox.add(tx, "order.placed", order, { context: given }));
    await store.transaction((tx) => outbox.add(tx, "order.placed", order, { context: ROOT_CONTEXT }));
    await using _relay = await outbox.relay();
    await clock.advance(0);
    const spans = exporter.getFinishedSpans();
    const [publish, handle] = ["publish orders", "process orders"].map((name) =>
      spans.filter((span) => span.name === name && span.spanContext().traceId === caller.traceId),
    );
    expect([publish!.length, handle!.length, spans.length]).toEqual([1, 1, 4]);
    expect(publish![0]!.parentSpanContext?.spanId).toBe(caller.spanId);
    expect(handle![0]!.parentSpanContext?.spanId).toBe(publish![0]!.spanContext().spanId);
  });
});

test("rows that were given up are listed with their events, tried again and discarded", async () => {
  const { clock, store, outbox, bus, arrived, listen } = setUp();
  const errors: [string, string | undefined][] = [];
  bus.onError((error, { event }) => errors.push([error.code, event?.id]));
  await listen("orders");
  const events = await store.transaction(async (tx) => [
    await outbox.add(tx, "order.placed", order),
    await outbox.add(tx, "order.placed", order),
  ]);
  let closed = true;
  const flaky = createOutbox({
    bus: Object.assign(Object.create(bus), {
      forward: async (...given: Parameters<typeof bus.forward>) => {
        if (closed) throw new EventError("denied", "not yours");
        return bus.forward(...given);
      },
    }) as typeof bus,
    store,
  });
  await using _relay = await flaky.relay({ attempts: 1 });
  await clock.advance(0);
  const failed = await outbox.failed();
  expect(failed.map(({ event, error, attempts }) => [event?.id, error, attempts])).toEqual(
    events.map(({ id }) => [id, "denied: not yours", 1]),
  );
  expect(errors).toEqual(events.map(({ id }) => ["denied", id]));
  expect(await outbox.failed(1)).toHaveLength(1);
  closed = false;
  expect(await outbox.retry([failed[0]!.rowId])).toBe(1);
  expect(await outbox.discard([failed[1]!.rowId, "99"])).toBe(1);
  flaky.notify();
  await clock.advance(0);
  expect(arrived.map(({ event }) => event.id)).toEqual([events[0]!.id]);
  expect(await outbox.stats()).toEqual({ pending: 0, failed: 0, oldestMs: 0 });
});

test("any event arrives by the outbox as it does when it is published", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(formats.binary.events(), formats.structured.events()), async (event) => {
      const { type, data, source: _, ...attributes } = event;
      const options: PublishOptions = { ...attributes, destination: "d" };
      const arrivals = async (send: (bus: EventBus, done: () => void) => Promise<unknown>): Promise<unknown> => {
        const clock = fakeClock();
        const bus = createEventBus({ source: "/s", transports: { memory: memoryTransport({ clock }) }, clock });
        const arrived: unknown[] = [];
        bus.onError((error) => arrived.push(error.code));
        await bus.subscribe(type.replaceAll("*", "x"), (found) => void arrived.push(plain(found)), {
          destination: "d",
        });
        try {
          await send(bus, () => clock.advance(0) as never);
          await clock.advance(10);
        } catch (reason) {
          arrived.push((reason as EventError).code ?? reason);
        }
        return arrived;
      };
      const published = await arrivals((bus) => bus.publish(type, data, options));
      const relayed = await arrivals(async (bus) => {
        const store = memoryOutbox();
        const outbox = createOutbox({ bus, store });
        await store.transaction((tx) => outbox.add(tx, type, data, options));
        const relay = await outbox.relay();
        while (relay.published === 0) await new Promise((resolve) => setImmediate(resolve));
        await relay.close();
      });
      expect(relayed).toEqual(published);
    }),
    { numRuns: 300 },
  );
});
