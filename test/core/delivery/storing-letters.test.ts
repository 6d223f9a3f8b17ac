import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { fingerprint } from "../../../core/fingerprint.ts";

const once = { attempts: 1, backoff: fixedBackoff(100) };
const attributes = ["ce-specversion", "1.0", "ce-source", "/x", "ce-type", "order"];

function fail(): never {
  throw new Error("no");
}

function setUp() {
  const clock = fakeClock();
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const memory = memoryTransport({ clock, partitions: 1 });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock, tracerProvider });
  const listed = async (): Promise<unknown[]> => {
    const queue = await createDeadLetterQueue({ bus, destination: "orders" });
    const found: unknown[] = [];
    for await (const letter of queue.list()) found.push(letter.event?.id);
    return found;
  };
  const stored = async (): Promise<number> => {
    let found = 0;
    for await (const _ of memory.read!({ destination: "orders.dlq" })) found++;
    return found;
  };
  return { clock, exporter, memory, bus, listed, stored };
}

describe("a letter", () => {
  test("is stored, whatever was stored before under the id that anyone can work out", async () => {
    const { clock, memory, bus, listed } = setUp();
    await bus.subscribe("order", fail, { destination: "orders", group: "g", deadLetter: true, retry: once });
    const id = fingerprint(["g", "memory", "orders", "orders/0", "0", clock.now()].join("\n"));
    const forged = { destination: "orders.dlq", body: "junk", headers: [], dedupId: `dlq:${id}` };
    const [outcome] = await memory.publish([forged]);
    await bus.publish("order", {}, { id: "a", destination: "orders" });
    await clock.advance(10);
    expect([outcome, await listed()]).toMatchObject([{ stored: true }, ["a"]]);
    // The forged id is indeed that of the letter.
    expect(await memory.publish([forged])).toMatchObject([{ at: { duplicate: true } }]);
  });

  test("that was stored before its process died is listed once", async () => {
    const { clock, memory, bus, listed, stored } = setUp();
    const publish = memory.publish;
    let lost = true;
    memory.publish = async (messages, options) => {
      const outcomes = await publish(messages, options);
      if (!lost || !messages[0]!.destination.endsWith(".dlq")) return outcomes;
      lost = false;
      // Stored, but nobody will know: as after a crash, the event comes again.
      return [
        { stored: false, outcome: "unknown", retrySafe: true, error: new EventError("transport-failed", "lost") },
      ];
    };
    await bus.subscribe("order", fail, { destination: "orders", group: "g", deadLetter: true, retry: once });
    await bus.publish("order", {}, { id: "a", destination: "orders" });
    await clock.advance(60_000);
    expect([await listed(), await stored()]).toEqual([["a"], 2]);
  });
});

describe("a message that cannot be read", () => {
  test("because of one attribute is set aside by another binding too, as it came", async () => {
    const { clock, memory } = setUp();
    const inner = memoryTransport({ clock });
    const binding = { prefix: "ce_", contentType: "content-type", percentEncoded: false };
    const log: Transport = { ...inner, capabilities: { ...inner.capabilities, binding } };
    const routes = [
      { type: "**", to: "memory" as const },
      { type: "never", to: "log" as const },
    ];
    const bus = createEventBus({ source: "/shop", transports: { memory, log }, routes, clock });
    const options = { destination: "orders", group: "g", deadLetter: { transport: "log" as const } };
    await bus.subscribe("order", () => undefined, options);
    const headers = [...attributes, "ce-id", "e-1", "ce-subject", "%zz%ff"];
    await memory.publish([{ destination: "orders", body: "{}", headers }]);
    await clock.advance(60_000);
    const letters: (readonly string[])[] = [];
    for await (const letter of log.read!({ destination: "orders.dlq" })) letters.push(letter.headers.entries());
    expect(letters.length).toBe(1);
    expect(letters[0]).toEqual(expect.arrayContaining(["ce_id", "e-1", "ce-subject", "%zz%ff"]));
  });
});

describe("the span of a letter", () => {
  test("belongs to the trace of its event, also of one that no handler saw", async () => {
    const { clock, bus, exporter } = setUp();
    const options = { destination: "orders", group: "g", order: "key", retry: once } as const;
    await bus.subscribe("order", fail, { ...options, deadLetter: { onKey: "park" } });
    for (const id of ["a", "b"]) {
      await bus.publish("order", {}, { id, key: "k", destination: "orders" });
      await clock.advance(10);
    }
    const spans = exporter.getFinishedSpans();
    const tracesOf = (wanted: string): string[] =>
      spans.filter(({ name }) => name === wanted).map((span) => span.spanContext().traceId);
    expect(tracesOf("publish orders.dlq")).toEqual(tracesOf("publish orders"));
  });

  test("ends as failed when the letter cannot even be made", async () => {
    const { clock, memory, bus, exporter } = setUp();
    const publish = memory.publish;
    memory.publish = (messages, options) => {
      if (messages[0]!.destination.endsWith(".dlq")) throw new TypeError("a mistake of the transport's");
      return publish(messages, options);
    };
    await bus.subscribe("order", fail, { destination: "orders", group: "g", deadLetter: true, retry: once });
    await bus.publish("order", {}, { id: "a", destination: "orders" });
    await clock.advance(10);
    const ended = exporter.getFinishedSpans().filter(({ name }) => name === "publish orders.dlq");
    expect(ended.map(({ attributes }) => attributes["error.type"])).toEqual(["transport-failed"]);
  });
});
