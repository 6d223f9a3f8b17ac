import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventBus, EventError, type Receipt, type Route } from "waybill";
import { fakeClock } from "waybill/testing";
import { type ChainTransport, chainTransport, type Ending, headerOf } from "./chain-transport.ts";

function setUp(route: Partial<Route<"a" | "b" | "c">> = {}) {
  const clock = fakeClock();
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const [a, b, c] = ["a", "b", "c"].map((name) => chainTransport(name)) as [
    ChainTransport,
    ChainTransport,
    ChainTransport,
  ];
  const bus = createEventBus({
    source: "/t",
    transports: { a, b, c },
    routes: [{ type: "**", to: ["a", "b", "c"], ...route }],
    clock,
    tracerProvider,
  });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  return { clock, exporter, bus, a, b, c, errors };
}

const failure = async (work: Promise<unknown>): Promise<EventError> =>
  work.then(
    () => expect.fail("it did not reject"),
    (error) => {
      expect(error).toBeInstanceOf(EventError);
      return error;
    },
  );

describe("a fallback chain", () => {
  test("stays on the first transport while that stores", async () => {
    const { bus, b } = setUp();
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a", attempts: 1, stored: "broker" });
    expect(b.given).toEqual([]);
  });

  test("moves on for what was certainly not stored: one event, one id and time, a span for each attempt", async () => {
    const { bus, a, b, exporter } = setUp();
    a.script = ["failed"];
    const receipt = await bus.publish("t", { n: 1 });
    expect(receipt).toMatchObject({ transport: "b", attempts: 2, sequence: 1 });
    const [first, second] = [a.given[0]!, b.stored[0]!];
    for (const name of ["ce-id", "ce-time", "ce-source"]) expect(headerOf(second, name)).toBe(headerOf(first, name));
    expect(headerOf(second, "ce-id")).toBe(receipt.id);
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ attributes }) => [attributes["messaging.system"], attributes["error.type"]])).toEqual([
      ["a", "transport-failed"],
      ["b", undefined],
    ]);
    // Each attempt names its own span.
    expect(headerOf(first, "traceparent")).toContain(spans[0]!.spanContext().spanId);
    expect(headerOf(second, "traceparent")).toContain(spans[1]!.spanContext().spanId);
  });

  test("does not move on for what may be stored, unless asked", async () => {
    const cautious = setUp();
    cautious.a.script = ["unknown"];
    expect(await failure(cautious.bus.publish("t", 1))).toMatchObject({ outcome: "unknown", retrySafe: false });
    expect(cautious.b.given).toEqual([]);
    const asked = setUp({ fallbackOnUnknown: true });
    asked.a.script = ["unknown"];
    expect(await asked.bus.publish("t", 1)).toMatchObject({ transport: "b", attempts: 2 });
  });

  test("says what all attempts together mean when none stored", async () => {
    const { bus, a, b, c } = setUp({ fallbackOnUnknown: true });
    a.script = ["failed"];
    b.script = ["unknown"];
    c.script = ["failed"];
    const error = await failure(bus.publish("t", 1));
    expect(error).toMatchObject({ outcome: "unknown", retrySafe: false, retryable: true });
    for (const text of ["a: failed", "b: unknown", "c: failed"]) expect(error.message).toContain(text);
  });

  test("keeps events with a key on the first transport, unless their order does not matter", async () => {
    const ordered = setUp();
    ordered.a.script = ["failed"];
    expect(await failure(ordered.bus.publish("t", 1, { key: "k" }))).toMatchObject({ outcome: "failed" });
    ordered.a.state = "disconnected";
    expect(await ordered.bus.publish("t", 1, { key: "k" })).toMatchObject({ transport: "a" });
    const free = setUp({ order: "none" });
    free.a.script = ["failed"];
    expect(await free.bus.publish("t", 1, { key: "k" })).toMatchObject({ transport: "b", attempts: 2 });
  });

  test("passes a disconnected transport by, and comes back to it; with none connected the first decides", async () => {
    const { bus, a, b, c } = setUp();
    a.state = "disconnected";
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "b", attempts: 1 });
    b.state = c.state = "closed";
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a", attempts: 1 });
    a.state = "connected";
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a", attempts: 1 });
  });

  test("leaves out what keeps failing, tries it again by one event, and returns with the first success", async () => {
    const { bus, a, clock } = setUp({ breaker: { failures: 3, openMs: 1_000 } });
    a.usually = "failed";
    for (let n = 0; n < 5; n++) await bus.publish("t", n);
    expect(a.given).toHaveLength(3);
    await clock.advance(1_000);
    await Promise.all([bus.publish("t", 1), bus.publish("t", 2)]);
    expect(a.given).toHaveLength(4);
    await clock.advance(1_000);
    a.usually = "stored";
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a", attempts: 1 });
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a" });
  });

  test("does not hold an event's own fault against a transport", async () => {
    const { bus, a } = setUp({ breaker: { failures: 1 } });
    a.script = ["too-large"];
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "b", attempts: 2 });
    expect(await bus.publish("t", 1)).toMatchObject({ transport: "a", attempts: 1 });
  });

  test("ends where the caller gives up", async () => {
    const { bus, b } = setUp();
    expect((await failure(bus.publish("t", 1, { signal: AbortSignal.abort() }))).code).toBe("aborted");
    expect(b.given).toEqual([]);
  });

  test("takes posted events, and reports those that none stored", async () => {
    const { bus, a, b, c, errors, clock } = setUp();
    for (const each of [a, b, c]) each.script = ["failed"];
    expect(bus.post("t", 1)).toBe(true);
    expect(bus.post("t", 2)).toBe(true);
    await import("../../core/rest.ts");
    await clock.advance(0);
    expect(errors).toHaveLength(1);
    expect(a.stored).toHaveLength(1);
  });

  test("of many events sends on those alone that were not stored", async () => {
    const { bus, a, b } = setUp();
    a.script = ["stored", "failed", "stored", "failed"];
    const results = (await bus.publishAll([0, 1, 2, 3].map((n) => ({ type: "t", data: n })))) as Receipt[];
    expect(results.map(({ transport, attempts }) => [transport, attempts])).toEqual([
      ["a", 1],
      ["b", 2],
      ["a", 1],
      ["b", 2],
    ]);
    expect([a.given.length, b.given.length]).toEqual([4, 2]);
    const batch = bus.batch({ maxEvents: 2 });
    a.script = ["failed"];
    const added = await Promise.all([batch.add("t", 1), batch.add("t", 2)]);
    expect(added.map(({ transport }) => transport)).toEqual(["b", "a"]);
  });

  test("never sends twice what may be stored, and its receipts say where each event is", async () => {
    const ending = fc.constantFrom<Ending>("stored", "failed", "unknown", "too-large");
    const scripts = fc.tuple(...[0, 1, 2].map(() => fc.array(ending, { maxLength: 30, size: "medium" })));
    const options = fc.record({
      fallbackOnUnknown: fc.boolean(),
      order: fc.constantFrom("key" as const, "none" as const),
      breaker: fc.record({ failures: fc.integer({ min: 1, max: 3 }), openMs: fc.constantFrom(1, 100) }),
    });
    const keys = fc.array(fc.constantFrom(undefined, "k"), { maxLength: 20, size: "medium" });
    await fc.assert(
      fc.asyncProperty(scripts, options, keys, fc.boolean(), async (endings, route, given, together) => {
        const { bus, a, b, c, clock } = setUp(route);
        const transports = { a, b, c };
        const attempts = new Map<string, { name: string; ending: Ending }[]>();
        for (const [n, [name, each]] of Object.entries(transports).entries()) {
          each.script = [...endings[n]!];
          const publish = each.publish;
          each.publish = async (messages, options) => {
            const planned = each.script.slice(0, messages.length);
            for (const [at, message] of messages.entries()) {
              const id = headerOf(message, "ce-id")!;
              attempts.set(id, [...(attempts.get(id) ?? []), { name, ending: planned[at] ?? each.usually }]);
            }
            return publish(messages, options);
          };
        }
        const items = given.map((key, n) => ({ type: "t", data: n, id: `e${n}`, key }));
        const results: (Receipt | EventError)[] = [];
        if (together) results.push(...(await bus.publishAll(items)));
        else {
          for (const { type, data, ...rest } of items) {
            results.push(await bus.publish(type, data, rest).catch((error: EventError) => error));
            await clock.advance(1);
          }
        }
        expect(results).toHaveLength(items.length);
        for (const [n, result] of results.entries()) {
          const made = attempts.get(`e${n}`)!;
          const stop = (end: Ending): boolean => end === "stored" || (end === "unknown" && !route.fallbackOnUnknown);
          // Whatever ended the way of an event was its last attempt.
          expect(made.slice(0, -1).some(({ ending }) => stop(ending))).toBe(false);
          expect(new Set(made.map(({ name }) => name)).size).toBe(made.length);
          const last = made.at(-1)!;
          if (last.ending === "stored") {
            expect(result).toMatchObject({ transport: last.name, attempts: made.length });
          } else {
            expect(result).toBeInstanceOf(EventError);
            const unknown = made.some(({ ending }) => ending === "unknown");
            expect((result as EventError).outcome).toBe(unknown ? "unknown" : "failed");
          }
          if (items[n]!.key !== undefined && route.order === "key") expect(made.map(({ name }) => name)).toEqual(["a"]);
        }
        expect(a.stored.length + b.stored.length + c.stored.length).toBe(
          [...attempts.values()].flat().filter(({ ending }) => ending === "stored").length,
        );
      }),
      { numRuns: 1_000 },
    );
  }, 120_000);
});
