import { describe, expect, test } from "vitest";
import { createEventBus, EventError } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { all, logTransport, pass, setUp } from "./set-up.ts";

/** As Kafka, with transactions that are refused so often as a test says. */
async function logSetUp() {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  let refusals = 0;
  const kafka = logTransport(memory, () => () => {
    if (refusals-- > 0) {
      throw new EventError("transport-failed", "not this time", { retryable: true, outcome: "failed" });
    }
  });
  const bus = createEventBus({ source: "/shop", transports: { kafka }, clock });
  const failing = new Set<string>();
  const handled: string[] = [];
  await bus.subscribe(
    "order",
    ({ id }) => {
      if (failing.has(id)) throw new Error("no");
      handled.push(id);
    },
    {
      ...{ destination: "orders", group: "g", order: "key", concurrency: 4 },
      ...{ deadLetter: { onKey: "park" }, retry: { attempts: 1 } },
    },
  );
  const queue = await createDeadLetterQueue({ bus, destination: "orders" });
  const place = async (...ids: string[]): Promise<void> => {
    for (const id of ids) await bus.publish("order", {}, { id, key: "k", destination: "orders" });
    for (let n = 0; n < 200; n++) await clock.advance(5);
  };
  /** Redrives, and lets what was sent be handled. */
  const redrive = async (...given: Parameters<typeof queue.redrive>) => {
    const report = await queue.redrive(...given);
    for (let n = 0; n < 200; n++) await clock.advance(5);
    return report;
  };
  const refuse = (times: number): void => {
    refusals = times;
  };
  return { clock, memory, failing, handled, queue, place, redrive, refuse };
}

async function parkedSetUp() {
  const made = await setUp();
  made.failing.set("g", new Set(["k-1"]));
  await made.join("g", { order: "key", deadLetter: { onKey: "park" } });
  await made.place("k-1", "k-2", "k-3");
  made.failing.clear();
  const releases = async (): Promise<number> => {
    const stored = await all(made.transport.read!({ destination: "orders" }));
    return stored.filter(({ headers }) => headers.get("waybill-redrive-release") !== undefined).length;
  };
  return { ...made, releases };
}

describe("what followed a failed event does not overtake it", () => {
  test("where a filter means it alone, and the report says so", async () => {
    const { clock, handled, letters } = await parkedSetUp();
    expect(await letters.redrive({ reason: "parked" }, { dryRun: true })).toMatchObject({
      ...{ seen: 3, matched: 2, redriven: 0, held: 2 },
    });
    expect(await letters.redrive({ reason: "parked" })).toMatchObject({ matched: 2, redriven: 0, held: 2 });
    await pass(clock, 1_000);
    expect(handled.get("g")).toEqual([]);
    expect(await letters.redrive({}, { dryRun: true })).toMatchObject({ matched: 3, redriven: 3, held: 0 });
    expect(await letters.redrive()).toMatchObject({ matched: 3, redriven: 3, held: 0 });
    await pass(clock, 1_000);
    expect(handled.get("g")).toEqual(["k-1", "k-2", "k-3"]);
  });

  test("where transform leaves the first out", async () => {
    const { clock, handled, letters } = await parkedSetUp();
    const transform = ({ event }: { event: never }): undefined => event && undefined;
    expect(await letters.redrive({}, { transform: transform as never })).toMatchObject({
      ...{ matched: 3, redriven: 0, skipped: 1, held: 2 },
    });
    await pass(clock, 1_000);
    expect(handled.get("g")).toEqual([]);
  });

  test("where transform leaves the first out, in a log", async () => {
    const { failing, handled, place, redrive } = await logSetUp();
    failing.add("a");
    await place("a", "b", "c");
    failing.clear();
    const report = await redrive({}, { transform: ({ event }) => (event!.id === "a" ? undefined : event) });
    expect(report).toMatchObject({ matched: 3, redriven: 0, skipped: 1, held: 2 });
    expect(handled).toEqual([]);
  });

  test("where a batch of it is not stored", async () => {
    const { failing, handled, place, redrive, refuse } = await logSetUp();
    failing.add("0");
    const ids = Array.from({ length: 150 }, (_, n) => String(n));
    await place(...ids);
    failing.clear();
    refuse(1);
    expect(await redrive()).toMatchObject({ seen: 150, matched: 150, redriven: 0, failed: 100, held: 50 });
    expect(handled).toEqual([]);
    expect(await redrive()).toMatchObject({ matched: 150, redriven: 150 });
    expect(handled).toEqual(ids);
  });

  test("where a run has read a part of what an earlier run's copies came to", async () => {
    const { clock, failing, handled, letters, transport } = await parkedSetUp();
    failing.set("g", new Set(["k-1"]));
    const read = transport.read!;
    /** Redrives by a reading of the letters that ends before some of them are stored. */
    const redriveWithout = async (...hidden: number[]): Promise<void> => {
      transport.read = async function* (options) {
        let at = 0;
        for await (const message of read.call(transport, options)) if (!hidden.includes(at++)) yield message;
      };
      await letters.redrive();
      transport.read = read;
      await pass(clock, 1_000);
    };
    // Stored are the letters of k-1, k-2 and k-3: the copy of k-1 fails, and that of k-2 follows it behind k-3.
    await redriveWithout(2);
    failing.clear();
    // A run that begins in between has read k-3 and k-1, and not k-2: only k-1 may go.
    await redriveWithout(4);
    expect(handled.get("g")).toEqual(["k-1"]);
    await letters.redrive();
    await pass(clock, 1_000);
    expect(handled.get("g")).toEqual(["k-1", "k-2", "k-3"]);
  });

  test("and gets on where each run has read a part of what the one before came to", async () => {
    const { clock, failing, handled, letters, place, transport } = await parkedSetUp();
    await place("k-4", "k-5", "k-6");
    failing.set("g", new Set(["k-1"]));
    await letters.redrive();
    await pass(clock, 1_000);
    failing.clear();
    const read = transport.read!;
    // The last letter is stored behind what a run reads, and before its copies come.
    transport.read = async function* (options) {
      const stored = await all(read.call(transport, options));
      yield* options.destination.endsWith(".dlq") ? stored.slice(0, -1) : stored;
    };
    for (let round = 0; round < 5; round++) {
      await letters.redrive();
      await pass(clock, 1_000);
    }
    expect(handled.get("g")).toEqual(["k-1", "k-2", "k-3", "k-4", "k-5"]);
  });

  test("where nobody knows whether the first was sent, in a log", async () => {
    const { clock, memory, failing, handled, queue, place, redrive } = await logSetUp();
    failing.add("a");
    await place("a", "b");
    failing.clear();
    const [first] = await all(queue.list());
    const note = JSON.stringify({ status: "redriving", atMs: clock.now(), sinceMs: clock.now(), run: "dead" });
    const state = { destination: "orders.dlq.state", key: `letter.${first!.id}`, headers: [] };
    await memory.publish([{ ...state, body: note }]);
    expect(await redrive()).toMatchObject({ redriven: 0, uncertain: 1, held: 1 });
    expect(handled).toEqual([]);
    expect(await redrive({ status: ["uncertain", "waiting"] })).toMatchObject({ redriven: 2 });
    expect(handled).toEqual(["a", "b"]);
  });
});

describe("a key is told to be free", () => {
  test("where it is parked, though its copies went elsewhere", async () => {
    const { bus, clock, handled, place } = await parkedSetUp();
    const queue = await createDeadLetterQueue({ bus, destination: "orders", targets: ["orders.v2"] });
    expect(await queue.redrive({}, { to: { destination: "orders.v2" } })).toMatchObject({ redriven: 3 });
    await pass(clock, 1_000);
    await place("k-4");
    expect(handled.get("g")).toEqual(["k-4"]);
  });

  test("once, and again for who names it", async () => {
    const { clock, letters, releases } = await parkedSetUp();
    await letters.redrive("an id of nobody");
    expect(await releases()).toBe(0);
    await letters.redrive();
    // Beyond the time for which the broker recognises repeats.
    await pass(clock, 150_000);
    await letters.redrive("an id of nobody");
    await letters.redrive();
    expect(await releases()).toBe(1);
    await letters.redrive({ key: "k" });
    expect(await releases()).toBe(2);
  });

  test("once, in a log", async () => {
    const { clock, memory, failing, place, redrive } = await logSetUp();
    failing.add("a");
    await place("a", "b");
    failing.clear();
    for (let n = 0; n < 3; n++) {
      await redrive();
      await pass(clock, 150_000);
    }
    const stored = await all(memory.read!({ destination: "orders" }));
    expect(stored.filter(({ headers }) => headers.get("waybill-redrive-release")).length).toBe(1);
  });

  test("when an operator has given up all that waited", async () => {
    const { clock, handled, letters, place, releases } = await parkedSetUp();
    await letters.discard({});
    await letters.redrive("an id of nobody");
    expect(await releases()).toBe(1);
    await pass(clock, 1_000);
    await place("k-4");
    expect(handled.get("g")).toEqual(["k-4"]);
  });

  test("by the next run, when it was not stored", async () => {
    const { clock, errors, handled, letters, place, releases, transport } = await parkedSetUp();
    const publish = transport.publish;
    transport.publish = async (messages) => {
      const released = messages.some(({ headers }) => headers.includes("waybill-redrive-release"));
      if (!released) return publish(messages);
      const error = new EventError("transport-failed", "not this time", { outcome: "failed" });
      return messages.map(() => ({ stored: false, outcome: "failed", retrySafe: true, error }));
    };
    errors.length = 0;
    await letters.redrive();
    expect([errors.map(({ message }) => message), await releases()]).toEqual([["not this time"], 0]);
    transport.publish = publish;
    await letters.redrive();
    expect(await releases()).toBe(1);
    await pass(clock, 1_000);
    await place("k-4");
    expect(handled.get("g")).toEqual(["k-1", "k-2", "k-3", "k-4"]);
  });
});
