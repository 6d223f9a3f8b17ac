import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type BatchOptions, createEventBus, defineEvents, EventError, type Receipt } from "waybill";
import { memoryTransport } from "waybill/memory";
import { type FakeClock, fakeClock } from "waybill/testing";
import { scriptedTransport } from "./scripted-transport.ts";

const events = defineEvents({ "order.placed": { schema: v.object({ n: v.number() }) } });

function setUp(options: BatchOptions = {}) {
  const clock = fakeClock();
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const { transport, calls } = scriptedTransport();
  const bus = createEventBus({ source: "/t", events, transports: { scripted: transport }, clock, tracerProvider });
  const batch = bus.batch({ maxEvents: 3, lingerMs: 10, ...options });
  return { clock, bus, batch, calls, exporter };
}

/** What became of a promise, once it is known. */
interface Fate {
  result?: Receipt | EventError;
  times: number;
}
function watch(work: Promise<Receipt>): Fate {
  const fate: Fate = { times: 0 };
  const note = (result: Receipt | EventError): void => {
    fate.times++;
    fate.result = result;
  };
  work.then(note, note);
  return fate;
}
const code = ({ result }: Fate): string | undefined =>
  result === undefined ? undefined : result instanceof EventError ? result.code : "stored";
/** The part that is loaded on demand comes by a real import. */
const loaded = async (clock: FakeClock): Promise<void> => {
  await import("../../core/rest.ts");
  await new Promise((resolve) => setTimeout(resolve, 0));
  await clock.advance(0);
};

describe("bus.batch", () => {
  test("sends when a batch is full or its first event has waited, and settles each event by itself", async () => {
    const { clock, batch, calls, exporter } = setUp();
    const fates = [0, 1, 2, 3].map((n) => watch(batch.add("order.placed", { n })));
    await loaded(clock);
    expect(calls.map(({ messages }) => messages.length)).toEqual([3]);
    await clock.advance(10);
    expect(calls.map(({ messages }) => messages.length)).toEqual([3, 1]);
    calls[0]!.answer((index) => index !== 1);
    await clock.advance(0);
    expect(fates.map(code)).toEqual(["stored", "transport-failed", "stored", undefined]);
    calls[0]!.answer(() => true);
    await clock.advance(0);
    expect(fates.map(code)).toEqual(["stored", "transport-failed", "stored", "stored"]);
    // A span for each event, and one for each batch with links to them.
    const spans = exporter.getFinishedSpans();
    const batches = spans.filter((span) => span.attributes["messaging.batch.message_count"] !== undefined);
    expect(batches.map(({ links }) => links.length)).toEqual([3, 1]);
    expect(spans.filter((span) => span.attributes["messaging.operation.name"] === "create")).toHaveLength(4);
    expect(clock.pending).toBe(0);
  });

  test("refuses what is wrong at once, and other events are none the worse", async () => {
    const { clock, batch, calls } = setUp();
    const wrong = watch(batch.add("order.placed", { n: "one" } as never));
    const unknown = watch(batch.add("no.such" as never, {} as never));
    const right = watch(batch.add("order.placed", { n: 1 }));
    await loaded(clock);
    await clock.advance(10);
    calls[0]!.answer(() => true);
    await clock.advance(0);
    expect([wrong, unknown, right].map(code)).toEqual(["invalid-data", "unknown-type", "stored"]);
  });

  test("beyond maxBuffered an event waits for room, is rejected, or takes the place of the oldest", async () => {
    const fates = async (whenFull: NonNullable<BatchOptions["whenFull"]>) => {
      const { clock, batch, calls } = setUp({ maxEvents: 1, maxInFlight: 1, maxBuffered: 2, whenFull });
      const all = [0, 1, 2, 3, 4].map((n) => watch(batch.add("order.placed", { n })));
      await loaded(clock);
      const early = all.map(code);
      const sent: unknown[] = [];
      while (calls.length > 0) {
        sent.push(JSON.parse(String(calls[0]!.messages[0]!.body)).n);
        calls[0]!.answer(() => true);
        await clock.advance(0);
      }
      return { early, late: all.map(code), sent };
    };
    const none = undefined;
    expect(await fates("wait")).toEqual({
      early: [none, none, none, none, none],
      late: Array(5).fill("stored"),
      sent: [0, 1, 2, 3, 4],
    });
    expect(await fates("reject")).toEqual({
      early: [none, none, none, "buffer-full", "buffer-full"],
      late: ["stored", "stored", "stored", "buffer-full", "buffer-full"],
      sent: [0, 1, 2],
    });
    expect(await fates("drop-oldest")).toEqual({
      early: [none, "buffer-full", "buffer-full", none, none],
      late: ["stored", "buffer-full", "buffer-full", "stored", "stored"],
      sent: [0, 3, 4],
    });
  });

  test("flush sends at once and waits for what was added before it; a signal ends the wait alone", async () => {
    const { clock, batch, calls } = setUp();
    const first = watch(batch.add("order.placed", { n: 1 }));
    let flushed = false;
    void batch.flush().then(() => {
      flushed = true;
    });
    await loaded(clock);
    expect(calls).toHaveLength(1);
    const later = watch(batch.add("order.placed", { n: 2 }));
    await expect(batch.flush({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(flushed).toBe(false);
    calls[0]!.answer(() => true);
    await clock.advance(0);
    expect([flushed, code(first), code(later)]).toEqual([true, "stored", undefined]);
  });

  test("a given-up event leaves its batch; one that is on its way may be stored", async () => {
    const { clock, batch, calls, exporter } = setUp();
    const stays = new AbortController();
    const goes = new AbortController();
    const kept = watch(batch.add("order.placed", { n: 1 }));
    const gone = watch(batch.add("order.placed", { n: 2 }, { signal: goes.signal }));
    const sent = watch(batch.add("order.placed", { n: 3 }, { signal: stays.signal, timeoutMs: 50 }));
    const late = watch(batch.add("order.placed", { n: 4 }, { timeoutMs: 5 }));
    await loaded(clock);
    goes.abort();
    await clock.advance(5);
    // Four were one too many for a batch of three, so that the first three went together.
    expect([kept, gone, sent, late].map(code)).toEqual([undefined, "aborted", undefined, "timeout"]);
    expect((gone.result as EventError).outcome).toBe("unknown");
    expect((late.result as EventError).outcome).toBe("failed");
    calls[0]!.answer(() => true);
    await clock.advance(60);
    expect([kept, sent].map(code)).toEqual(["stored", "stored"]);
    expect(exporter.getFinishedSpans().filter(({ attributes }) => attributes["error.type"] === "timeout")).toHaveLength(
      1,
    );
    expect(clock.pending).toBe(0);
  });

  test("close sends what waits, refuses what comes after, and counts what its deadline cut off", async () => {
    const { clock, bus, batch, calls } = setUp({ maxEvents: 1, maxInFlight: 1, maxBuffered: 1 });
    const fates = [0, 1, 2].map((n) => watch(batch.add("order.placed", { n })));
    await loaded(clock);
    const closing = batch.close({ deadlineMs: 100 });
    const after = watch(batch.add("order.placed", { n: 3 }));
    await clock.advance(100);
    expect(await closing).toEqual({ unsent: 3, unsettled: 0 });
    expect([...fates, after].map(code)).toEqual([undefined, "closed", "closed", "closed"]);
    calls[0]!.answer(() => true);
    await clock.advance(0);
    expect(code(fates[0]!)).toBe("stored");
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(clock.pending).toBe(0);
  });

  test("closing the bus counts each event once: what is on its way is the transport's to count", async () => {
    const { clock, bus, batch } = setUp({ maxEvents: 1, maxInFlight: 1, maxBuffered: 1 });
    const fates = [0, 1, 2].map((n) => watch(batch.add("order.placed", { n })));
    await loaded(clock);
    const closing = bus.close({ deadlineMs: 100 });
    await clock.advance(100);
    expect(await closing).toEqual({ unsent: 2, unsettled: 0 });
    expect(fates.map(code)).toEqual([undefined, "closed", "closed"]);
  });

  test("an event keeps its place though its schema takes longer than that of the next", async () => {
    const transport = memoryTransport();
    const slow = v.pipeAsync(
      v.object({ n: v.number() }),
      v.checkAsync(async ({ n }) => {
        await new Promise((resolve) => setTimeout(resolve, n === 0 ? 20 : 0));
        return n !== 2;
      }),
    );
    const bus = createEventBus({
      source: "/t",
      events: defineEvents({
        slow: { schema: slow },
        fast: { schema: v.object({ n: v.number() }), destination: "slow" },
      }),
      transports: { memory: transport },
    });
    const batch = bus.batch({ lingerMs: 0 });
    const results = await Promise.allSettled([
      batch.add("slow", { n: 0 }, { key: "k" }),
      batch.add("slow", { n: 1 }, { key: "k" }),
      batch.add("slow", { n: 2 }, { key: "k" }),
      batch.add("fast", { n: 3 }, { key: "k" }),
    ]);
    expect(results.map((result) => (result.status === "fulfilled" ? result.value.offset : result.reason.code))).toEqual(
      [0, 1, "invalid-data", 2],
    );
    await bus.close();
  });

  test("nothing is dropped for an event that cannot be sent", async () => {
    const { clock, batch, calls } = setUp({ maxEvents: 9, maxBuffered: 1, whenFull: "drop-oldest" });
    const fate = watch(batch.add("order.placed", { n: 0 }));
    await loaded(clock);
    const refused = watch(batch.add("order.placed", { n: 1 }, { destination: "a b" }));
    await clock.advance(10);
    expect([code(refused), calls.length]).toEqual(["invalid-destination", 1]);
    calls[0]!.answer(() => true);
    await clock.advance(0);
    expect(code(fate)).toBe("stored");
  });

  test("closing the bus closes its batches first", async () => {
    const clock = fakeClock();
    const transport = memoryTransport({ clock });
    const bus = createEventBus({ source: "/t", events, transports: { memory: transport }, clock });
    const batch = bus.batch();
    const fates = [0, 1].map((n) => watch(batch.add("order.placed", { n })));
    await loaded(clock);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(fates.map(code)).toEqual(["stored", "stored"]);
  });

  test("wrong bounds are refused with the option's name", async () => {
    const { bus } = setUp();
    for (const [option, value] of [
      ["maxEvents", 0],
      ["maxBytes", Number.NaN],
      ["lingerMs", -1],
      ["maxBuffered", 0],
      ["maxInFlight", 0.5],
    ] as const) {
      await expect(bus.batch({ [option]: value }).add("order.placed", { n: 1 })).rejects.toMatchObject({
        code: "invalid-option",
        message: expect.stringContaining(option),
      });
    }
  });

  test("whatever happens, every event settles exactly once and keys keep their order", async () => {
    await import("../../core/rest.ts");
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant("add" as const),
          key: fc.constantFrom("a", "b", undefined),
          wrong: fc.nat(9).map((n) => n === 0),
          timeoutMs: fc.constantFrom(undefined, undefined, undefined, 3, 30),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 12 }) }) },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant("answer" as const),
          // Brokers answer in order here: what may come in another order is the transport's to say.
          failing: fc.array(fc.nat(4), { maxLength: 2 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("flush" as const, "close" as const) }) },
    );
    const options = fc.record({
      maxEvents: fc.integer({ min: 1, max: 4 }),
      maxBytes: fc.constantFrom(1, 400, 1_048_576),
      lingerMs: fc.constantFrom(0, 5),
      maxBuffered: fc.integer({ min: 1, max: 5 }),
      maxInFlight: fc.integer({ min: 1, max: 2 }),
      whenFull: fc.constantFrom("wait" as const, "reject" as const, "drop-oldest" as const),
    });
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 40, size: "medium" }), async (given, script) => {
        const { clock, bus, batch, calls, exporter } = setUp(given);
        const fates: Fate[] = [];
        const waits: Promise<unknown>[] = [];
        const sent = new Map<string, number[]>();
        const arrived = new Set<number>();
        let closed = false;
        const answer = (failing: readonly number[]): void => {
          calls[0]?.answer((index) => !failing.includes(index));
        };
        const seen = new Set<object>();
        const look = (): void => {
          for (const call of calls) {
            if (seen.has(call)) continue;
            seen.add(call);
            expect(call.messages.length).toBeLessThanOrEqual(given.maxEvents);
            for (const { key, body } of call.messages) {
              const { n } = JSON.parse(String(body)) as { n: number };
              expect(arrived.has(n)).toBe(false);
              arrived.add(n);
              if (key !== undefined) sent.set(key, [...(sent.get(key) ?? []), n]);
            }
          }
          expect(calls.length).toBeLessThanOrEqual(given.maxInFlight);
        };
        for (const each of script) {
          if (each.kind === "add") {
            const data = each.wrong ? { n: "wrong" } : { n: fates.length };
            const { key, timeoutMs } = each;
            const fate = watch(batch.add("order.placed", data as { n: number }, { key, timeoutMs }));
            fates.push(fate);
            await clock.advance(0);
            if (closed) expect(code(fate)).toBe("closed");
          } else if (each.kind === "pass") await clock.advance(each.ms);
          else if (each.kind === "answer") answer(each.failing);
          else if (each.kind === "flush") waits.push(batch.flush().catch(() => undefined));
          else if (!closed) {
            closed = true;
            waits.push(batch.close({ deadlineMs: 20 }));
          }
          await clock.advance(0);
          look();
        }
        const closing = bus.close({ deadlineMs: 60 });
        for (let n = 0; n < 40; n++) {
          answer([]);
          await clock.advance(2);
          look();
        }
        await Promise.all([...waits, closing]);
        expect(fates.map(({ times }) => times)).toEqual(fates.map(() => 1));
        for (const numbers of sent.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        for (const [n, fate] of fates.entries()) if (code(fate) === "stored") expect(arrived.has(n)).toBe(true);
        expect(clock.pending).toBe(0);
        // No span is left open: each encoded event has one, sent or not.
        const made = exporter
          .getFinishedSpans()
          .filter(({ attributes }) => attributes["messaging.operation.type"] === "create");
        expect(made.length).toBeGreaterThanOrEqual(arrived.size);
      }),
      { numRuns: 1_000 },
    );
  }, 240_000);
});
