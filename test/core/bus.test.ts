import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type CloudEvent,
  createEventBus,
  defineEvents,
  EventError,
  type envelope,
  fixedBackoff,
  type HandlerDelivery,
  type Transport,
} from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const events = defineEvents({
  "order.placed": {
    schema: v.object({ orderId: v.string(), amount: v.pipe(v.string(), v.transform(Number)) }),
    destination: "orders",
    key: (data) => data.orderId,
  },
  "order.shipped": { schema: v.object({ orderId: v.string() }), destination: "orders" },
  "price.quote": { schema: v.object({ sku: v.string() }), reply: v.object({ price: v.number() }) },
});

function setUp(options: { codec?: ReturnType<typeof envelope> } = {}) {
  const clock = fakeClock();
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const transport = memoryTransport({ clock, partitions: 2 });
  const bus = createEventBus({
    source: "/test",
    events,
    transports: { memory: transport },
    clock,
    tracerProvider,
    ...options,
  });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  return { clock, exporter, transport, bus, errors };
}

async function code(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EventError);
  return (error as EventError).code;
}

describe("publish and subscribe", () => {
  test("a handler gets the event with the schema's output, and the receipt says where it is", async () => {
    const { bus, clock } = setUp();
    const seen: [CloudEvent, HandlerDelivery][] = [];
    await bus.subscribe("order.placed", (event, delivery) => void seen.push([event, delivery as never]), {
      group: "g",
    });
    const receipt = await bus.publish("order.placed", { orderId: "o-1", amount: "12" });
    await clock.advance(0);
    expect(receipt).toMatchObject({
      transport: "memory",
      destination: "orders",
      offset: 0,
      attempts: 1,
      stored: "broker",
    });
    const [event, delivery] = seen[0]!;
    expect(event).toMatchObject({ id: receipt.id, source: "/test", type: "order.placed" });
    expect(event.data).toEqual({ orderId: "o-1", amount: 12 });
    expect(event.extensions.partitionkey).toBe("o-1");
    expect(delivery).toMatchObject({ attempt: 1, key: "o-1", destination: "orders", position: "0" });
    expect(Object.isFrozen(event)).toBe(true);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
  });

  test("types that share a destination reach the handler of their own type", async () => {
    const { bus, clock } = setUp();
    const seen: string[] = [];
    await bus.subscribe("order.placed", () => void seen.push("placed"), { group: "g" });
    await bus.subscribe("order.shipped", () => void seen.push("shipped"), { group: "g" });
    await bus.publish("order.shipped", { orderId: "o-1" }, { key: "o-1" });
    await bus.publish("order.placed", { orderId: "o-1", amount: "1" });
    await clock.advance(0);
    expect(seen).toEqual(["shipped", "placed"]);
  });

  test("a second handler for a type in its group is refused", async () => {
    const { bus } = setUp();
    await bus.subscribe("order.placed", () => undefined, { group: "g" });
    expect(await code(bus.subscribe("order.placed", () => undefined, { group: "g" }))).toBe("duplicate-handler");
    expect(await code(bus.subscribe("order.*", () => undefined, { group: "g" }))).toBe("duplicate-handler");
    await bus.subscribe("order.*", () => undefined, { group: "other" });
  });

  test("a failing handler is reported and gets the event again after the pause, its key waiting", async () => {
    const { bus, clock, errors } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (event, { attempt }) => {
        seen.push(`${event.data.orderId}:${event.data.amount}:${attempt}`);
        if (event.data.amount === 1 && attempt < 3) throw new Error("not yet");
      },
      { group: "g", concurrency: 4, retry: { backoff: fixedBackoff(1_000) } },
    );
    await bus.publish("order.placed", { orderId: "a", amount: "1" });
    await bus.publish("order.placed", { orderId: "a", amount: "2" });
    await bus.publish("order.placed", { orderId: "b", amount: "3" });
    await clock.advance(500);
    expect(seen.sort()).toEqual(["a:1:1", "b:3:1"]);
    await clock.advance(3000);
    expect(seen.filter((entry) => entry.startsWith("a"))).toEqual(["a:1:1", "a:1:2", "a:1:3", "a:2:1"]);
    expect(errors.map((error) => error.code)).toEqual(["handler-failed", "handler-failed"]);
    expect(clock.pending).toBe(0);
  });

  test("without order the transport redelivers, and later events do not wait", async () => {
    const { bus, clock } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (event, { attempt }) => {
        seen.push(`${event.data.amount}:${attempt}`);
        if (event.data.amount === 1 && attempt === 1) throw new Error("not yet");
      },
      { group: "g", order: "none" },
    );
    await bus.publish("order.placed", { orderId: "a", amount: "1" });
    await bus.publish("order.placed", { orderId: "a", amount: "2" });
    await clock.advance(2000);
    expect(seen).toEqual(["1:1", "2:1", "1:2"]);
  });

  test("data that does not fit is refused before it is sent, and on arrival is reported once and not repeated", async () => {
    const { bus, clock, errors, transport } = setUp();
    expect(await code(bus.publish("order.placed", { orderId: 1 } as never))).toBe("invalid-data");
    await bus.subscribe("order.placed", () => undefined, { group: "g" });
    const rogue = createEventBus({ source: "/rogue", transports: { memory: transport }, clock });
    await rogue.publish("order.placed", { orderId: 7 }, { destination: "orders" });
    await clock.advance(10_000);
    expect(errors.map((error) => error.code)).toEqual(["invalid-data"]);
  });

  test("what cannot be read is reported with its bound, and what follows is handled", async () => {
    const { bus, clock, errors, transport } = setUp();
    const seen: string[] = [];
    await bus.subscribe("order.shipped", (event) => void seen.push(event.data.orderId), { group: "g" });
    for (const body of [
      "{",
      '{"__proto__":{"x":1},"id":"1","type":"t","timestamp":"2026-01-01T00:00:00Z"}',
      `${"[".repeat(99)}`,
    ]) {
      await transport.publish([{ destination: "orders", headers: [], body, key: "k" }]);
    }
    await bus.publish("order.shipped", { orderId: "o-1" }, { key: "k" });
    await clock.advance(0);
    expect(errors.map((error) => error.code)).toEqual(["malformed-message", "malformed-message", "malformed-message"]);
    expect(seen).toEqual(["o-1"]);
  });

  test("publishAll answers for each event", async () => {
    const { bus } = setUp();
    const [good, bad] = await bus.publishAll([
      { type: "order.shipped", data: { orderId: "o-1" } },
      { type: "order.shipped", data: { orderId: 3 } as never },
    ]);
    expect(good).toMatchObject({ stored: "broker" });
    expect(bad).toMatchObject({ code: "invalid-data" });
  });

  test("post answers at once and needs a schema that does", async () => {
    const { bus, transport } = setUp();
    expect(bus.post("order.shipped", { orderId: "o-1" })).toBe(true);
    const later = defineEvents({
      slow: {
        schema: v.pipeAsync(
          v.string(),
          v.checkAsync(async () => true),
        ),
      },
    });
    const slow = createEventBus({ source: "/t", events: later, transports: { memory: transport } });
    expect(() => slow.post("slow", "x")).toThrow(expect.objectContaining({ code: "schema-async" }));
    await expect(slow.publish("slow", "x")).resolves.toMatchObject({ stored: "broker" });
  });
});

describe("request and respond", () => {
  test("the reply is typed and validated", async () => {
    const { bus } = setUp();
    await bus.respond("price.quote", (event) => ({ price: event.data.sku.length }), { group: "pricing" });
    const reply = await bus.request("price.quote", { sku: "abc" });
    expect(reply.data.price).toBe(3);
    expect(reply.type).toBe("price.quote.reply");
  });
  test("nobody listening fails at once; a failing responder says its code and nothing else", async () => {
    const { bus } = setUp();
    expect(await code(bus.request("price.quote", { sku: "abc" }))).toBe("no-responders");
    await bus.respond("price.quote", () => {
      throw new Error("secret detail");
    });
    const failure = await bus.request("price.quote", { sku: "abc" }).catch((error: EventError) => error);
    expect(failure).toMatchObject({ code: "remote-error" });
    expect(JSON.stringify([(failure as EventError).message, (failure as EventError).cause])).not.toContain("secret");
  });
  test("a request gives up after its time", async () => {
    const { bus, clock } = setUp();
    await bus.respond("price.quote", () => new Promise(() => undefined));
    const failed = code(bus.request("price.quote", { sku: "abc" }, { timeoutMs: 50 }));
    await clock.advance(60);
    expect(await failed).toBe("timeout");
  });
});

describe("refusals", () => {
  test.each(["a..b", "x.*", "$JS.API.x", "a\r\nb", "", "a b", "x.>", ".a", "a\0"])(
    "destination %j",
    async (destination) => {
      const { bus } = setUp();
      expect(await code(bus.publish("order.shipped", { orderId: "o" }, { destination }))).toBe("invalid-destination");
    },
  );
  test.each(["Nats-Msg-Id", "ce-id", "ce_id", "traceparent", "waybill-x", "Content-Type"])(
    "header %s",
    async (name) => {
      const { bus } = setUp();
      expect(await code(bus.publish("order.shipped", { orderId: "o" }, { headers: { [name]: "x" } }))).toBe(
        "reserved-header",
      );
    },
  );
  test("a header value that would forge another header", async () => {
    const { bus } = setUp();
    const headers = { "x-a": "1\r\nNats-Msg-Id: 2" };
    expect(await code(bus.publish("order.shipped", { orderId: "o" }, { headers }))).toBe("invalid-header");
  });
  test("an event over the limit, naming both sizes", async () => {
    const { bus } = setUp();
    const failed = bus.publish("order.shipped", { orderId: "é".repeat(600_000) });
    await expect(failed).rejects.toThrow(/1200014 bytes, 1048576/);
    expect(await code(failed)).toBe("too-large");
  });
  test("a type outside the catalog and a pattern that matches nothing", async () => {
    const { bus } = setUp();
    expect(await code(bus.publish("order.gone" as "order.shipped", { orderId: "o" }))).toBe("unknown-type");
    expect(await code(bus.subscribe("nope.*" as "order.*", () => undefined))).toBe("unknown-type");
  });
  test("everything after close, and closing twice is one close", async () => {
    const { bus } = setUp();
    expect(await bus.close()).toBe(await bus.close());
    expect(await code(bus.publish("order.shipped", { orderId: "o" }))).toBe("closed");
    expect(await code(bus.subscribe("order.shipped", () => undefined))).toBe("closed");
    expect(() => bus.post("order.shipped", { orderId: "o" })).toThrow(expect.objectContaining({ code: "closed" }));
  });
  test("routes that name no transport", () => {
    const transports = { memory: memoryTransport() };
    const make = () => createEventBus({ source: "/t", transports, routes: [{ type: "**", to: "nats" as "memory" }] });
    expect(make).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

describe("tracing", () => {
  let exporter: InMemorySpanExporter;
  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  });
  afterEach(() => {
    trace.disable();
    context.disable();
  });

  test("publish and process are one trace, also for what a handler publishes after awaits without a context manager", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/t", events, transports: { memory: memoryTransport({ clock }) }, clock });
    await bus.subscribe(
      "order.placed",
      async (event, delivery) => {
        await undefined;
        await undefined;
        await delivery.publish("order.shipped", { orderId: event.data.orderId });
      },
      { group: "a" },
    );
    const chained: CloudEvent[] = [];
    await bus.subscribe("order.shipped", (event) => void chained.push(event), { group: "b" });
    const { id } = await bus.publish("order.placed", { orderId: "o", amount: "1" });
    await clock.advance(0);
    const spans = exporter.getFinishedSpans();
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    const named = (name: string, group?: string) =>
      spans.find((span) => span.name === name && span.attributes["messaging.consumer.group.name"] === group)!;
    const publish = spans.find(
      (span) => span.attributes["messaging.message.id"] === id && span.kind === SpanKind.PRODUCER,
    )!;
    const process = named("process orders", "a");
    expect(publish.name).toBe("publish orders");
    expect(process.kind).toBe(SpanKind.CONSUMER);
    expect(process.parentSpanContext?.spanId).toBe(publish.spanContext().spanId);
    expect(process.links.map((link) => link.context.spanId)).toEqual([publish.spanContext().spanId]);
    expect(publish.attributes).toMatchObject({
      "messaging.system": "memory",
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.destination.name": "orders",
    });
    expect(chained[0]!.extensions).toMatchObject({ correlationid: id, causationid: id });
  });

  test("trust link begins a new trace with a link and drops baggage; correlation link keeps baggage", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/t", events, transports: { memory: memoryTransport({ clock }) }, clock });
    const baggageOf: Record<string, string | undefined> = {};
    const note = (name: string) => (_: unknown, delivery: HandlerDelivery<typeof events>) => {
      baggageOf[name] = propagation.getBaggage(delivery.context)?.getEntry("tenant")?.value;
    };
    await bus.subscribe("order.shipped", note("link"), { trust: "link", group: "link" });
    await bus.subscribe("order.shipped", note("correlation"), { correlation: "link", group: "correlation" });
    await bus.subscribe("order.shipped", note("drop"), { trust: "drop", group: "drop" });
    const baggage = propagation.createBaggage({ tenant: { value: "acme" } });
    await bus.publish(
      "order.shipped",
      { orderId: "o" },
      { context: propagation.setBaggage(context.active(), baggage) },
    );
    await clock.advance(0);
    expect(baggageOf).toEqual({ link: undefined, correlation: "acme", drop: undefined });
    const spans = exporter.getFinishedSpans();
    const publish = spans.find((span) => span.kind === SpanKind.PRODUCER)!;
    const of = (group: string) => spans.find((span) => span.attributes["messaging.consumer.group.name"] === group)!;
    for (const group of ["link", "correlation", "drop"]) {
      expect(of(group).parentSpanContext).toBeUndefined();
      expect(of(group).spanContext().traceId).not.toBe(publish.spanContext().traceId);
      expect(of(group).links.map((link) => link.context.spanId)).toEqual(
        group === "drop" ? [] : [publish.spanContext().spanId],
      );
    }
  });

  test("a failed handler marks its span by the code", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/t", events, transports: { memory: memoryTransport({ clock }) }, clock });
    await bus.subscribe("order.shipped", () => Promise.reject(new Error("boom")), { group: "g" });
    await bus.publish("order.shipped", { orderId: "o" });
    await clock.advance(0);
    const process = exporter.getFinishedSpans().find((span) => span.kind === SpanKind.CONSUMER)!;
    expect(process.attributes["error.type"]).toBe("handler-failed");
    expect(process.status).toEqual({ code: 2, message: "boom" });
  });

  test("with a context manager handlers run in the context of their delivery", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const clock = fakeClock();
    const bus = createEventBus({ source: "/t", events, transports: { memory: memoryTransport({ clock }) }, clock });
    let same = false;
    await bus.subscribe("order.shipped", async (_, delivery) => {
      await undefined;
      same = context.active() === delivery.context && trace.getActiveSpan() !== undefined;
    });
    await bus.publish("order.shipped", { orderId: "o" });
    await clock.advance(0);
    expect(same).toBe(true);
  });
});

describe("waiting and closing", () => {
  test("a publish that takes too long says timeout, one given up says aborted", async () => {
    const { clock } = setUp();
    // A transport that answers only when its signal aborts, as a broker that is away does.
    const silent = memoryTransport({ clock });
    const publish: Transport["publish"] = (_, { signal } = {}) =>
      new Promise((resolve) => {
        const give = () => {
          const error = EventError.from(new EventError("aborted", "given up", { cause: signal?.reason }));
          resolve([{ stored: false, outcome: "unknown", retrySafe: false, error }]);
        };
        if (signal?.aborted) give();
        else signal?.addEventListener("abort", give);
      });
    const bus = createEventBus({ source: "/t", transports: { silent: { ...silent, publish } }, clock });
    const late = bus.publish("x", {}, { timeoutMs: 50 }).catch((error: EventError) => error);
    await clock.advance(60);
    expect(await late).toMatchObject({ code: "timeout", outcome: "unknown", retrySafe: false });
    const given = bus.publish("x", {}, { signal: AbortSignal.abort() }).catch((error: EventError) => error);
    expect(await given).toMatchObject({ code: "aborted", outcome: "unknown" });
  });

  test("a handler whose target is closed gets its event again", async () => {
    const { bus, clock, transport } = setUp();
    const target = createEventBus({ source: "/closed", transports: { memory: memoryTransport({ clock }) }, clock });
    await target.close();
    let attempts = 0;
    await bus.subscribe(
      "order.shipped",
      async () => {
        attempts++;
        await target.publish("x", {});
      },
      { group: "g", retry: { backoff: fixedBackoff(1_000) } },
    );
    await bus.publish("order.shipped", { orderId: "o-1" });
    await clock.advance(2_500);
    expect(attempts).toBe(3);
    expect(transport.health().state).toBe("connected");
  });

  test("a later subscription of a group may not ask for another order, start or concurrency", async () => {
    const { bus } = setUp();
    await bus.subscribe("order.placed", () => undefined, { group: "g", concurrency: 4 });
    expect(await code(bus.subscribe("order.shipped", () => undefined, { group: "g", concurrency: 2 }))).toBe(
      "invalid-option",
    );
    expect(await code(bus.subscribe("order.shipped", () => undefined, { group: "g", order: "none" }))).toBe(
      "invalid-option",
    );
    await bus.subscribe("order.shipped", () => undefined, { group: "g" });
  });

  test("a subscription that is given up while it opens is left again", async () => {
    const { clock } = setUp();
    const memory = memoryTransport({ clock });
    let closed = 0;
    const consume: Transport["consume"] = async (source, sink) => {
      await new Promise<void>((resolve) => clock.after(100, resolve));
      const subscription = await memory.consume(source, sink);
      return {
        ...subscription,
        close(options) {
          closed++;
          return subscription.close(options);
        },
      };
    };
    const bus = createEventBus({ source: "/t", transports: { memory: { ...memory, consume } }, clock });
    const controller = new AbortController();
    const failed = code(bus.subscribe("x", () => undefined, { signal: controller.signal }));
    await clock.advance(10);
    controller.abort();
    expect(await failed).toBe("aborted");
    await clock.advance(200);
    expect(closed).toBe(1);
  });

  test("headers beyond the limits are refused when written", async () => {
    const { bus } = setUp();
    const headers = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`x-${n}`, "1"]));
    expect(await code(bus.publish("order.shipped", { orderId: "o" }, { headers }))).toBe("too-large");
    expect(await code(bus.publish("order.shipped", { orderId: "o" }, { headers: { x: "y".repeat(70_000) } }))).toBe(
      "too-large",
    );
    expect(await code(bus.publish("order.shipped", { orderId: "o" }, { headers: { Xraceparent: "00" } }))).toBe(
      "reserved-header",
    );
  });

  test("a responder answers over the transport of its subscription, and a failure is not tried again", async () => {
    const clock = fakeClock();
    const transports = { a: memoryTransport({ clock }), b: memoryTransport({ clock }) };
    const routes = [{ type: "**", to: "a" as const }];
    const bus = createEventBus({ source: "/t", transports, routes, clock });
    const asking = createEventBus({ source: "/u", transports: { b: transports.b }, clock });
    let calls = 0;
    await bus.respond(
      "quote",
      () => {
        calls++;
        throw new Error("no");
      },
      { transport: "b" },
    );
    expect(await code(asking.request("quote", {}))).toBe("remote-error");
    await clock.advance(5_000);
    expect(calls).toBe(1);
  });
});
