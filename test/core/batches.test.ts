import { context, propagation, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import {
  type BatchEntry,
  type BatchLimits,
  createEventBus,
  defineEvents,
  EventError,
  fixedBackoff,
  type SubscribeOptions,
} from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const events = defineEvents({
  "order.placed": {
    schema: v.object({ order: v.string(), n: v.pipe(v.string(), v.transform(Number)) }),
    destination: "orders",
    key: (data) => data.order,
  },
  "order.noted": { schema: v.object({ note: v.string() }), destination: "orders" },
  "order.moved": { schema: v.object({ order: v.string() }), destination: "moves" },
});

const limits: BatchLimits = { maxEvents: 3, maxWaitMs: 100 };
const everySecond = { backoff: fixedBackoff(1_000) };

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

function setUp() {
  const clock = fakeClock();
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const transport = memoryTransport({ clock, partitions: 2 });
  const transports = { memory: transport };
  const bus = createEventBus({ source: "/test", events, transports, clock, tracerProvider, meterProvider });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const place = async (order: string, ...numbers: number[]): Promise<void> => {
    for (const n of numbers) await bus.publish("order.placed", { order, n: String(n) });
  };
  return { clock, exporter, reader, transport, bus, errors, place };
}

async function code(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EventError);
  return (error as EventError).code;
}

describe("a handler of batches", () => {
  test("gets what came, typed and in order, when it is enough or has waited", async () => {
    const { bus, clock, place } = setUp();
    const seen: string[][] = [];
    await bus.subscribe(
      "order.placed",
      (entries) => void seen.push(entries.map(({ event, delivery }) => `${delivery.key}${event.data.n}`)),
      { group: "g", batch: limits },
    );
    expect(clock.pending).toBe(0);
    await place("a", 1, 2, 3, 4);
    await clock.advance(99);
    expect(seen).toEqual([["a1", "a2", "a3"]]);
    await clock.advance(1);
    expect(seen).toEqual([["a1", "a2", "a3"], ["a4"]]);
    expect(clock.pending).toBe(0);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
  });

  test("that resolves has settled every event, and none comes again", async () => {
    const { bus, clock, place, transport } = setUp();
    const options = { group: "g", batch: limits };
    const first = await bus.subscribe("order.placed", () => undefined, options);
    await place("a", 1, 2, 3);
    await clock.advance(100);
    expect(await first.close()).toEqual({ unsent: 0, unsettled: 0 });
    const next = createEventBus({ source: "/next", events, transports: { memory: transport }, clock });
    const seen: number[] = [];
    await next.subscribe(
      "order.placed",
      (entries) => void seen.push(...entries.map(({ event }) => event.data.n)),
      options,
    );
    await place("a", 4);
    await clock.advance(1000);
    expect(seen).toEqual([4]);
  });

  test("never sees what is unreadable, invalid or of a type that it does not handle; the rest is handled", async () => {
    const { bus, clock, errors, place, transport } = setUp();
    const seen: number[] = [];
    await bus.subscribe("order.placed", (entries) => void seen.push(...entries.map(({ event }) => event.data.n)), {
      group: "g",
      batch: { maxEvents: 5, maxWaitMs: 100 },
    });
    const rogue = createEventBus({ source: "/rogue", transports: { memory: transport }, clock });
    await place("a", 1);
    await transport.publish([{ destination: "orders", headers: [], body: "{", key: "a" }]);
    await rogue.publish("order.placed", { order: 7 }, { destination: "orders", key: "a" });
    await bus.publish("order.noted", { note: "x" }, { key: "a" });
    await place("a", 2);
    await clock.advance(10_000);
    expect(seen).toEqual([1, 2]);
    expect(errors.map((error) => error.code)).toEqual(["malformed-message", "invalid-data"]);
  });

  test("is not called when nothing of a batch can be handled", async () => {
    const { bus, clock, errors, exporter, transport } = setUp();
    let calls = 0;
    await bus.subscribe("order.placed", () => calls++, { group: "g", batch: limits });
    await transport.publish([{ destination: "orders", headers: [], body: "{" }]);
    await clock.advance(1000);
    expect([calls, errors.length, exporter.getFinishedSpans().length]).toEqual([0, 1, 0]);
  });

  test("may be told of data as it travelled", async () => {
    const { bus, clock, place } = setUp();
    const seen: unknown[] = [];
    await bus.subscribe("order.placed", (entries) => void seen.push(...entries.map(({ event }) => event.data)), {
      batch: limits,
      validate: false,
    });
    await place("a", 1);
    await clock.advance(100);
    expect(seen).toEqual([{ order: "a", n: "1" }]);
  });
});

describe("when a handler of batches fails", () => {
  test("throwing fails every event: the first of each key counts an attempt and is reported, the others follow", async () => {
    const { bus, clock, errors, place } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (entries) => {
        seen.push(entries.map(({ event, delivery }) => `${delivery.key}${event.data.n}:${delivery.attempt}`).join(" "));
        if (seen.length === 1) throw new Error("not yet");
      },
      { group: "g", batch: { maxEvents: 4, maxWaitMs: 100 }, retry: everySecond },
    );
    await place("a", 1, 2, 3);
    await clock.advance(500);
    await place("a", 4);
    await clock.advance(1000);
    expect(seen).toEqual(["a1:1 a2:1 a3:1", "a1:2 a2:1 a3:1 a4:1"]);
    expect(errors.map((error) => error.code)).toEqual(["handler-failed"]);
    expect(clock.pending).toBe(0);
  });

  test("fail fails one event, with what follows it of its key; others are settled", async () => {
    const { bus, clock, errors, place } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (entries) => {
        for (const { event, delivery } of entries) {
          seen.push(`${delivery.key}${event.data.n}:${delivery.attempt}`);
          if (event.data.n === 2 && delivery.attempt === 1) {
            delivery.fail(new Error("not yet"));
            delivery.fail(new EventError("invalid-data", "the first call counts"));
          }
        }
      },
      { group: "g", batch: { maxEvents: 5, maxWaitMs: 100 }, order: "key" },
    );
    await place("a", 1, 2, 3);
    await place("b", 7);
    await clock.advance(100);
    expect(seen.splice(0).sort()).toEqual(["a1:1", "a2:1", "a3:1", "b7:1"]);
    await place("a", 4);
    await clock.advance(1100);
    expect(seen).toEqual(["a2:2", "a3:1", "a4:1"]);
    expect(errors.map((error) => error.message)).toEqual(["not yet"]);
  });

  test("an event that fails for good is given up alone", async () => {
    const { bus, clock, errors, place } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (entries) => {
        for (const { event, delivery } of entries) {
          seen.push(`${event.data.n}:${delivery.attempt}`);
          if (event.data.n === 1) delivery.fail(new EventError("invalid-data", "wrong for ever"));
        }
      },
      { group: "g", batch: limits },
    );
    await place("a", 1, 2, 3);
    await clock.advance(5000);
    expect(seen).toEqual(["1:1", "2:1", "3:1"]);
    expect(errors.map((error) => error.code)).toEqual(["invalid-data"]);
  });

  test("without order every failed event comes again on its own", async () => {
    const { bus, clock, errors, place } = setUp();
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      (entries) => {
        for (const { event, delivery } of entries) seen.push(`${event.data.n}:${delivery.attempt}`);
        if (seen.length > 3) return;
        entries[0]!.delivery.fail(new Error("no"));
        throw new Error("none");
      },
      { group: "g", batch: limits, order: "none", retry: everySecond },
    );
    await place("a", 1, 2, 3);
    await clock.advance(1050);
    expect(errors.map((error) => error.message)).toEqual(["no", "none", "none"]);
    expect(seen.slice(3)).toEqual(["1:2", "2:2", "3:2"]);
  });
});

describe("a group with batches", () => {
  test("has one handler, and batches join no handler of events", async () => {
    const { bus } = setUp();
    await bus.subscribe("order.placed", () => undefined, { group: "g", batch: limits });
    expect(await code(bus.subscribe("order.noted", () => undefined, { group: "g", batch: limits }))).toBe(
      "duplicate-handler",
    );
    expect(await code(bus.subscribe("order.noted", () => undefined, { group: "g" }))).toBe("duplicate-handler");
    await bus.subscribe("order.placed", () => undefined, { group: "h" });
    expect(await code(bus.subscribe("order.noted", () => undefined, { group: "h", batch: limits }))).toBe(
      "duplicate-handler",
    );
  });

  test.each([
    [{ maxEvents: 0, maxWaitMs: 1 }, "maxEvents"],
    [{ maxEvents: 1.5, maxWaitMs: 1 }, "maxEvents"],
    [{ maxEvents: 65_537, maxWaitMs: 1 }, "maxEvents"],
    [{ maxEvents: 1, maxWaitMs: -1 }, "maxWaitMs"],
    [{ maxEvents: 1, maxWaitMs: Number.NaN }, "maxWaitMs"],
    [{ maxEvents: 1, maxWaitMs: 2 ** 31 }, "maxWaitMs"],
    [{} as BatchLimits, "maxEvents"],
  ])("refuses %j, naming the bound", async (batch, name) => {
    const { bus } = setUp();
    const failed = bus.subscribe("order.placed", () => undefined, { batch });
    await expect(failed).rejects.toThrow(name);
    expect(await code(failed)).toBe("invalid-option");
  });

  test("answers no requests", async () => {
    const { bus } = setUp();
    const options = { batch: limits } as unknown as SubscribeOptions<"memory">;
    expect(await code(bus.respond("order.placed", () => undefined, options))).toBe("invalid-option");
  });

  test("may be handled by several batches at once, of different keys", async () => {
    const { bus, clock, place } = setUp();
    const ends: (() => void)[] = [];
    let most = 0;
    let now = 0;
    const seen: string[] = [];
    await bus.subscribe(
      "order.placed",
      async (entries) => {
        most = Math.max(most, ++now);
        for (const { event, delivery } of entries) seen.push(`${delivery.key}${event.data.n}`);
        await new Promise<void>((resolve) => ends.push(resolve));
        now--;
      },
      { group: "g", batch: { maxEvents: 100, maxWaitMs: 10 }, concurrency: 2 },
    );
    await place("a", 1);
    await clock.advance(10);
    await place("a", 2);
    await place("b", 1);
    await clock.advance(10);
    expect([most, seen]).toEqual([2, ["a1", "b1"]]);
    for (const end of ends.splice(0)) end();
    await clock.advance(10);
    expect(seen.at(-1)).toBe("a2");
    for (const end of ends) end();
  });

  test("gets batches as large as it asks for, with one more collected beside them", async () => {
    const { bus, clock } = setUp();
    const sizes: number[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await bus.subscribe("order.noted", (entries) => held.then(() => void sizes.push(entries.length)), {
      group: "g",
      batch: { maxEvents: 200, maxWaitMs: 1000 },
    });
    await bus.publishAll(Array.from({ length: 450 }, () => ({ type: "order.noted" as const, data: { note: "x" } })));
    await clock.advance(0);
    release();
    await clock.advance(0);
    expect(sizes).toEqual([200, 200]);
    await clock.advance(1000);
    expect(sizes).toEqual([200, 200, 50]);
  });
});

describe("when the lane of a batch goes or the bus closes", () => {
  test("what is collected goes to the new owner, and what is handled aborts once it is fenced", async () => {
    const { bus, clock, errors, place, transport } = setUp();
    const options = { group: "g", batch: { maxEvents: 2, maxWaitMs: 100 } };
    const seen: number[][] = [[], []];
    let signal: AbortSignal | undefined;
    await bus.subscribe(
      "order.placed",
      async (entries, batch) => {
        seen[0]!.push(...entries.map(({ event }) => event.data.n));
        if (signal) return;
        signal = batch.signal;
        await new Promise<void>((resolve) => batch.signal.addEventListener("abort", () => resolve()));
      },
      options,
    );
    // Keys of both partitions; the first two are in the batch that does not end.
    for (const [n, key] of ["a", "b", "c", "d"].entries()) await place(key, n);
    await clock.advance(0);
    expect([seen[0]!.length, signal?.aborted]).toEqual([2, false]);
    const other = createEventBus({ source: "/other", events, transports: { memory: transport }, clock });
    const handler = (entries: readonly BatchEntry<typeof events, "order.placed">[]): void =>
      void seen[1]!.push(...entries.map(({ event }) => event.data.n));
    const joined = other.subscribe("order.placed", handler, options);
    await clock.advance(10_000);
    await joined;
    await clock.advance(200);
    expect(signal).toMatchObject({ aborted: true, reason: { code: "fenced" } });
    expect(seen[1]!.length).toBeGreaterThan(0);
    expect(new Set(seen.flat())).toEqual(new Set([0, 1, 2, 3]));
    expect(new Set(errors.map((error) => error.code))).toEqual(new Set(["fenced"]));
  });

  test("close hands over what is collected, without a wait, and settles it", async () => {
    const { bus, clock, place } = setUp();
    const seen: number[] = [];
    await bus.subscribe("order.placed", (entries) => void seen.push(...entries.map(({ event }) => event.data.n)), {
      group: "g",
      batch: { maxEvents: 10, maxWaitMs: 60_000 },
    });
    await place("a", 1, 2);
    await clock.advance(0);
    const closing = bus.close();
    await clock.advance(0);
    expect(seen).toEqual([1, 2]);
    expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
    expect(clock.pending).toBe(0);
  });

  test("pause keeps a batch back, and resume hands it over", async () => {
    const { bus, clock, place } = setUp();
    const seen: number[] = [];
    const options = { group: "g", batch: limits };
    const subscription = await bus.subscribe("order.placed", (entries) => void seen.push(entries.length), options);
    subscription.pause();
    await place("a", 1, 2);
    await clock.advance(1000);
    expect([seen, clock.pending]).toEqual([[], 0]);
    subscription.resume();
    expect(seen).toEqual([]);
    await clock.advance(0);
    expect(seen).toEqual([2]);
  });
});

describe("tracing and metrics of batches", () => {
  test("one span for the batch, with a link to each message that says which it is", async () => {
    const { bus, clock, exporter, place } = setUp();
    let root: string | undefined;
    await bus.subscribe(
      "order.placed",
      async (entries, batch) => {
        root = (batch.context as unknown as { constructor: { name: string } }).constructor.name;
        batch.extend();
        for (const { delivery } of entries) await delivery.publish("order.moved", { order: "a" });
      },
      { group: "g", batch: limits },
    );
    await place("a", 1, 2, 3);
    await clock.advance(100);
    expect(root).toBeDefined();
    const spans = exporter.getFinishedSpans();
    const placed = spans.filter((span) => span.name === "publish orders");
    const moved = spans.filter((span) => span.name === "publish moves");
    const [process, ...others] = spans.filter((span) => span.kind === SpanKind.CONSUMER);
    expect(others).toEqual([]);
    expect(process!.name).toBe("process orders");
    expect(process!.parentSpanContext).toBeUndefined();
    expect(process!.attributes).toEqual({
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.system": "memory",
      "messaging.batch.message_count": 3,
      "messaging.destination.name": "orders",
      "messaging.consumer.group.name": "g",
    });
    expect(process!.links.map(({ context: { spanId } }) => spanId)).toEqual(
      placed.map((span) => span.spanContext().spanId),
    );
    expect(process!.links.map(({ attributes }) => attributes!["messaging.message.id"])).toEqual(
      placed.map((span) => span.attributes["messaging.message.id"]),
    );
    // What an event leads to stays in its own trace.
    expect(moved.map((span) => span.parentSpanContext!.spanId)).toEqual(
      placed.map((span) => span.spanContext().spanId),
    );
  });

  test("a batch from several destinations names none, and its links name each", async () => {
    const { bus, clock, exporter, place } = setUp();
    await bus.subscribe("order.*", () => undefined, { group: "g", batch: limits });
    await place("a", 1);
    await bus.publish("order.moved", { order: "a" });
    await clock.advance(100);
    const process = exporter.getFinishedSpans().find((span) => span.kind === SpanKind.CONSUMER)!;
    expect(process.name).toBe("process");
    expect(process.attributes["messaging.destination.name"]).toBeUndefined();
    const named = process.links.map(({ attributes }) => attributes!["messaging.destination.name"]);
    expect(named.sort()).toEqual(["moves", "orders"]);
  });

  test("trust and correlation decide about links and the context of each event", async () => {
    const { bus, clock, exporter } = setUp();
    const baggageOf: Record<string, string | undefined> = {};
    const kinds = {
      continue: {},
      correlation: { correlation: "link" },
      link: { trust: "link" },
      drop: { trust: "drop" },
    } as const;
    for (const [name, options] of Object.entries(kinds)) {
      await bus.subscribe(
        "order.noted",
        async ([entry], batch) => {
          baggageOf[name] = propagation.getBaggage(entry!.delivery.context)?.getEntry("tenant")?.value;
          expect(propagation.getBaggage(batch.context)).toBeUndefined();
          await entry!.delivery.publish("order.moved", { order: name });
        },
        { group: name, batch: limits, ...options },
      );
    }
    const baggage = propagation.createBaggage({ tenant: { value: "acme" } });
    await bus.publish("order.noted", { note: "x" }, { context: propagation.setBaggage(context.active(), baggage) });
    await clock.advance(100);
    expect(baggageOf).toEqual({ continue: "acme", correlation: "acme", link: undefined, drop: undefined });
    const spans = exporter.getFinishedSpans();
    const published = spans.find((span) => span.name === "publish orders")!.spanContext();
    for (const name of Object.keys(kinds)) {
      const process = spans.find((span) => span.attributes["messaging.consumer.group.name"] === name)!;
      expect(process.links.map((link) => link.context.spanId)).toEqual(name === "drop" ? [] : [published.spanId]);
      const child = name === "continue" ? published : process.spanContext();
      expect(
        spans.filter((span) => span.name === "publish moves").map((span) => span.parentSpanContext!.spanId),
      ).toContain(child.spanId);
    }
  });

  test("a batch with a failed event is a failed span; measurements are per event", async () => {
    const { bus, clock, exporter, place, reader } = setUp();
    await bus.subscribe("order.placed", ([first]) => first!.delivery.fail(new Error("boom")), {
      group: "g",
      batch: limits,
      order: "none",
    });
    await place("a", 1, 2, 3);
    await clock.advance(0);
    const process = exporter.getFinishedSpans().find((span) => span.kind === SpanKind.CONSUMER)!;
    expect(process.attributes["error.type"]).toBe("handler-failed");
    expect(process.status).toEqual({ code: SpanStatusCode.ERROR, message: "boom" });
    const { resourceMetrics } = await reader.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const points = (name: string) => metrics.find(({ descriptor }) => descriptor.name === name)!.dataPoints;
    const consumed = points("messaging.client.consumed.messages");
    expect(consumed.map(({ attributes, value }) => [attributes["error.type"], value])).toEqual([
      ["handler-failed", 1],
      [undefined, 2],
    ]);
    expect(points("waybill.delivery.in_flight").map(({ value }) => value)).toEqual([0]);
    expect(points("waybill.delivery.latency").map(({ value }) => (value as { count: number }).count)).toEqual([2]);
  });
});
