import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { createEventBus, EventError, envelope, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const once = { attempts: 1, backoff: fixedBackoff(100) };

function fail(): never {
  throw new Error("no card\r\nin 100 % of cases: é\ud800");
}

async function bodies(transport: Transport, destination: string): Promise<{ body: string; headers: string[] }[]> {
  const found: { body: string; headers: string[] }[] = [];
  for await (const { body, headers } of transport.read!({ destination })) {
    found.push({ body: new TextDecoder().decode(body ?? new Uint8Array()), headers: [...headers.entries()] });
  }
  return found;
}

describe("the guide's dialect", () => {
  test("is an envelope with error, original_topic and failed_at, and a redrive sends the event as it was", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const bus = createEventBus({ source: "go", transports: { memory }, clock, codec: envelope() });
    let broken = true;
    const handled: unknown[] = [];
    await bus.subscribe("order", ({ data }) => (broken ? fail() : handled.push(data)), {
      group: "g",
      retry: once,
      deadLetter: { dialect: "guide" },
    });
    await bus.publish("order", { orderId: "o-1" }, { id: "e-1" });
    await clock.advance(1_000);
    const [letter] = await bodies(memory, "order.dlq");
    expect(JSON.parse(letter!.body)).toMatchObject({
      id: "e-1",
      type: "order",
      source: "go",
      data: {
        orderId: "o-1",
        original_topic: "order",
        failed_at: expect.stringMatching(/^2026-/),
        error: expect.stringContaining("no card"),
      },
    });
    const queue = await createDeadLetterQueue({ bus, destination: "order" });
    for await (const { event } of queue.list()) expect(event?.data).toEqual({ orderId: "o-1" });
    broken = false;
    expect(await queue.redrive()).toMatchObject({ redriven: 1 });
    await clock.advance(1_000);
    expect(handled).toEqual([{ orderId: "o-1" }]);
  });

  test("leaves what is no envelope's data as it came", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const bus = createEventBus({ source: "go", transports: { memory }, clock });
    await bus.subscribe("order", fail, { group: "g", retry: once, deadLetter: { dialect: "guide" } });
    await bus.publish("order", ["a", "list"]);
    await memory.publish([{ destination: "order", headers: [], body: "\u0000" }]);
    await clock.advance(1_000);
    expect((await bodies(memory, "order.dlq")).map(({ body }) => body).sort()).toEqual(["\u0000", '["a","list"]']);
  });
});

describe("letters of a transport that keeps nothing", () => {
  /** Memory as core NATS is: nothing is delivered again, nothing kept. */
  function plain(clock: ReturnType<typeof fakeClock>): Transport {
    const { ensure: _, openState: __, read: ___, ...memory } = memoryTransport({ clock });
    return { ...memory, capabilities: { ...memory.capabilities, redelivery: false, keyOrder: false, replay: false } };
  }

  test("are refused unless another transport is named", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/web", transports: { nats: plain(clock) }, clock });
    const wanted = bus.subscribe("order", fail, { group: "g", deadLetter: true });
    await expect(wanted).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("deadLetter.transport"),
    });
    await expect(bus.subscribe("order", fail, { deadLetter: true })).rejects.toMatchObject({ code: "invalid-option" });
  });

  test("go to the named one in its own binding, after attempts in this process, and come back", async () => {
    const clock = fakeClock();
    const { ensure, ...rest } = memoryTransport({ clock, name: "store" });
    const kafkaLike: Transport = {
      ...rest,
      ensure: ensure!,
      capabilities: {
        ...rest.capabilities,
        binding: { prefix: "ce_", contentType: "content-type", percentEncoded: false },
      },
    };
    const nats = plain(clock);
    const bus = createEventBus({
      source: "/web",
      transports: { nats, store: kafkaLike },
      routes: [{ type: "**", to: "nats" }],
      clock,
    });
    let attempts = 0;
    let broken = true;
    const handled: string[] = [];
    await bus.subscribe(
      "order",
      ({ id, subject }) => {
        attempts++;
        if (broken) fail();
        handled.push(`${id} ${subject}`);
      },
      { group: "g", retry: { attempts: 3, backoff: fixedBackoff(100) }, deadLetter: { transport: "store" } },
    );
    await bus.publish("order", { a: 1 }, { id: "e-1", subject: "ärger" });
    await clock.advance(1_000);
    const [letter] = await bodies(kafkaLike, "order.dlq");
    expect([attempts, letter!.headers]).toEqual([3, expect.arrayContaining(["ce_id", "e-1", "ce_subject", "ärger"])]);
    const queue = await createDeadLetterQueue({ bus, destination: "order", transport: "store" });
    broken = false;
    expect(await queue.redrive()).toMatchObject({ redriven: 1 });
    await clock.advance(1_000);
    expect(handled).toEqual(["e-1 ärger"]);
  });
});

describe("a letter that cannot be stored", () => {
  test("keeps its event, asks the handler no more, and is stored when that is possible", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const store = memory.publish;
    let away = true;
    memory.publish = (messages, options) =>
      away && messages[0]!.destination.endsWith(".dlq")
        ? Promise.resolve([
            {
              stored: false,
              outcome: "failed",
              retrySafe: true,
              error: new EventError("unreachable", "away", { retryable: true }),
            },
          ])
        : store(messages, options);
    const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
    const errors: string[] = [];
    bus.onError(({ code }) => errors.push(code));
    let calls = 0;
    await bus.subscribe(
      "order",
      () => {
        calls++;
        fail();
      },
      { group: "g", retry: once, deadLetter: true },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect([calls, (await bodies(memory, "order.dlq")).length]).toEqual([1, 0]);
    expect(errors).toContain("unreachable");
    away = false;
    await clock.advance(10_000);
    expect([calls, (await bodies(memory, "order.dlq")).length]).toEqual([1, 1]);
  });

  test("for its headers leaves out what can be left out", async () => {
    const clock = fakeClock();
    const memory = memoryTransport({ clock, maxMessageBytes: 1_000 });
    const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
    await bus.subscribe("order", () => Promise.reject(new Error("x".repeat(600))), {
      group: "g",
      retry: once,
      deadLetter: true,
    });
    await bus.publish("order", {});
    await clock.advance(10_000);
    const [letter] = await bodies(memory, "order.dlq");
    expect(letter!.headers).not.toContain("waybill-dlq-error-message");
  });
});

test("a letter carries the error as one line of ASCII, and its trace goes on from the handler's span", async () => {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock, tracerProvider });
  await bus.subscribe("order", fail, { group: "g", retry: once, deadLetter: true });
  await bus.publish("order", {});
  await clock.advance(1_000);
  const [letter] = await bodies(memory, "order.dlq");
  const header = (name: string): string => letter!.headers[letter!.headers.indexOf(name) + 1]!;
  expect(header("waybill-dlq-error-message")).toMatch(/^[ -~]+$/);
  expect(decodeURIComponent(header("waybill-dlq-error-message"))).toBe("no card\r\nin 100 % of cases: é\ufffd");
  const spans = exporter.getFinishedSpans();
  const process = spans.find(({ name }) => name === "process order")!;
  const stored = spans.find(({ name }) => name === "publish order.dlq")!;
  expect(stored.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
  expect(header("waybill-dlq-traceparent")).toContain(stored.spanContext().spanId);
  // The message's own stays: it is where the event came from.
  expect(header("traceparent")).toContain(spans.find(({ name }) => name === "publish order")!.spanContext().spanId);
});
