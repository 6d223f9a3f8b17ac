import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { setUp } from "./collector-harness.ts";

describe("a batch starts", () => {
  test("at once when it is full, and the next waits for its end", async () => {
    const { add, end, log, clock } = setUp();
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) add(id);
    expect(log).toEqual(["a b c"]);
    await end();
    await end();
    expect([log, clock.pending]).toEqual([["a b c", "d e f"], 1]);
  });
  test("when its first event has waited long enough, whatever came after it", async () => {
    const { add, log, clock } = setUp();
    expect(clock.pending).toBe(0);
    add("a");
    await clock.advance(60);
    add("b");
    await clock.advance(39);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect([log, clock.pending]).toEqual([["a b"], 0]);
  });
  test("as soon as a place is free when it has waited meanwhile, with what came meanwhile", async () => {
    const { add, end, log, clock } = setUp();
    for (const id of ["a", "b", "c"]) add(id);
    add("d");
    await clock.advance(500);
    add("e");
    expect([log, clock.pending]).toEqual([["a b c"], 0]);
    await end();
    expect(log).toEqual(["a b c", "d e"]);
  });
  test("beside others, as many as may", () => {
    const { add, log } = setUp({ concurrency: 2 });
    for (const id of ["a", "b", "c", "d", "e", "f", "g", "h", "i"]) add(id);
    expect(log).toEqual(["a b c", "d e f"]);
  });
  test("at once with what is there when nothing is waited for", async () => {
    const { add, end, log, clock } = setUp({ maxWaitMs: 0 });
    for (const id of ["a", "b", "c"]) add(id);
    await end();
    expect([log, clock.pending]).toEqual([["a", "b c"], 0]);
  });
  test("no later than that though the host's clock was set back", async () => {
    const { add, end, log, clock, setBack } = setUp();
    for (const id of ["a", "b", "c", "d"]) add(id);
    setBack(3_600_000);
    await end();
    await clock.advance(100);
    expect(log).toEqual(["a b c", "d"]);
  });
  test("not while paused, which keeps no timer", async () => {
    const { add, log, pause, clock } = setUp();
    add("a");
    pause(true);
    for (const id of ["b", "c"]) add(id);
    expect([log, clock.pending]).toEqual([[], 0]);
    pause(false);
    expect(log).toEqual(["a b c"]);
  });
});

describe("events of a key", () => {
  test("are together in a batch, in order, and later ones wait for its end", async () => {
    const { add, end, log, clock } = setUp({ concurrency: 2 });
    for (const id of ["a1", "a2", "b1", "a3"]) add(id, "0", id[0]);
    add("c1", "0", "c");
    await clock.advance(100);
    expect(log).toEqual(["a1 a2 b1", "c1"]);
    await end();
    await clock.advance(100);
    expect(log.at(-1)).toBe("a3");
  });
  test("that follow a failed one come again behind it, without an attempt of their own", async () => {
    const { add, end, log, clock } = setUp();
    for (const id of ["a1", "a2", "b1"]) add(id, "0", id[0]);
    add("a3", "0", "a");
    await end({ a1: 1000 });
    await clock.advance(999);
    expect(log).toEqual(["a1 a2 b1"]);
    await clock.advance(1);
    expect(log).toEqual(["a1 a2 b1", "a12 a2 a3"]);
    await end();
    expect(clock.pending).toBe(0);
  });
  test("that failed, and those behind them, take no place from other keys while they pause", async () => {
    const { add, end, done, pause } = setUp({ concurrency: 2 });
    for (const id of ["a1", "a2", "a3"]) add(id, "0", "a");
    await end({ a1: 1_000 });
    expect(done()).toBe(3);
    add("a4", "0", "a");
    expect(done()).toBe(4);
    add("b1", "0", "b");
    expect(done()).toBe(4);
    pause(true);
    add("a5", "0", "a");
    expect(done()).toBe(4); // nothing is to start: nothing more is to come
  });
  test("of other lanes and without key order wait for nothing", () => {
    const { add, log } = setUp({ concurrency: 2, maxEvents: 1 });
    add("a", "0", "k");
    add("b", "1", "k");
    expect(log).toEqual(["a", "b"]);
    const unordered = setUp({ concurrency: 2, maxEvents: 1, byKey: false });
    for (const id of ["a", "b"]) unordered.add(id, "0", "k");
    expect(unordered.log).toEqual(["a", "b"]);
  });
});

describe("revoke", () => {
  test("releases what is collected, and resolves when what runs has ended", async () => {
    const { add, end, log, revoke, clock } = setUp();
    for (const id of ["a1", "b1", "c1", "a2"]) add(id, "0", id[0]);
    add("d");
    add("x", "1");
    const revocation = revoke("0");
    await clock.advance(0);
    expect([log, revocation.resolved]).toEqual([["a1 b1 c1", "-a2", "-d"], false]);
    await end({ b1: 1000 });
    expect([log.at(-1), revocation.resolved]).toEqual(["-b1", true]);
    await clock.advance(100);
    expect(log.at(-1)).toBe("x");
  });
  test("counts the wait of the batch anew when its first has gone", async () => {
    const { add, log, revoke, clock } = setUp();
    add("a", "0");
    await clock.advance(60);
    add("b", "1");
    revoke("0");
    await clock.advance(99);
    expect(log).toEqual(["-a"]);
    await clock.advance(1);
    expect([log, clock.pending]).toEqual([["-a", "b"], 0]);
  });
  test("releases what pauses, with what waits behind it", async () => {
    const { add, end, log, revoke, clock } = setUp({ maxEvents: 2 });
    for (const id of ["a1", "a2", "a3"]) add(id, "0", "a");
    await end({ a1: 1000 });
    expect(revoke("0")).toBeDefined();
    await clock.advance(0);
    expect([log, clock.pending]).toEqual([["a1 a2", "-a1", "-a2", "-a3"], 0]);
  });
});

describe("stop", () => {
  test("hands over what is collected at once and releases the rest, also what comes later", async () => {
    const { add, end, log, stop, clock, done } = setUp({ concurrency: 2 });
    for (const id of ["a1", "b1", "c1", "a2", "d1", "e1"]) add(id, "0", id[0]);
    let stopped = false;
    const stopping = stop().then(() => {
      stopped = true;
    });
    add("f1");
    expect([log, clock.pending]).toEqual([["a1 b1 c1", "d1 e1", "-a2", "-f1"], 0]);
    await end({ a1: 50 });
    expect([log.at(-1), stopped]).toEqual(["-a1", false]);
    await end();
    await stopping;
    expect(done()).toBe(7);
  });
  test("releases everything while paused", async () => {
    const { add, log, pause, stop } = setUp();
    pause(true);
    for (const id of ["a", "b"]) add(id);
    await stop();
    expect(log).toEqual(["-a", "-b"]);
  });
  test("runs everything, also what comes later, where nothing would come again", async () => {
    const { add, end, log, stop } = setUp();
    for (const id of ["a1", "a2", "b1", "a3"]) add(id, "0", id[0]);
    const stopping = stop(true);
    add("c1", "0", "c");
    await end();
    await end();
    await stopping;
    expect(log).toEqual(["a1 a2 b1", "c1 a3"]);
  });
});

test("whatever happens, batches are as the rules say and every delivery ends once", async () => {
  const some = <K extends string>(weight: number, ...kinds: K[]) => ({
    weight,
    arbitrary: fc.record({
      kind: fc.constantFrom(...kinds),
      lane: fc.constantFrom("0", "1"),
      key: fc.constantFrom(undefined, "a", "b"),
      n: fc.nat(63),
    }),
  });
  const command = fc.oneof(some(8, "add"), some(5, "end", "advance"), some(1, "revoke", "pause", "resume"));
  const options = fc.record({
    concurrency: fc.integer({ min: 1, max: 2 }),
    byKey: fc.boolean(),
    maxEvents: fc.integer({ min: 1, max: 4 }),
    maxWaitMs: fc.constantFrom(0, 20, 50),
  });
  let batches = 0;
  let retried = 0;
  await fc.assert(
    fc.asyncProperty(
      // By default fast-check makes arrays of ten at most, in which hardly anything is tried again.
      fc.array(command, { maxLength: 40, size: "medium" }),
      options,
      fc.constantFrom("goes on", "stops", "finishes"),
      async (commands, given, ending) => {
        const { clock, running, items, ...all } = setUp(given);
        const end = (n: number): Promise<void> => {
          const number = n % running.length;
          // Each bit fails one event of the batch.
          const failing = running[number]!.items.filter((_, i) => (n >> i) & 1);
          retried += failing.length;
          return all.end(Object.fromEntries(failing.map(({ id }, i) => [id, ((n + i) % 4) * 15])), number);
        };
        for (const [i, { kind, lane, key, n }] of commands.entries()) {
          if (kind === "add") all.add(`e${i}`, lane, key);
          else if (kind === "advance") await clock.advance(n);
          else if (kind === "end") running.length > 0 && (await end(n));
          else if (kind === "revoke") all.revoke(lane);
          else all.pause(kind === "pause");
          await clock.advance(0);
          all.check();
        }
        let stopped = false;
        if (ending === "goes on") all.pause(false);
        else void all.stop(ending === "finishes").then(() => (stopped = true));
        for (let turn = 0; turn <= 2 * items.length; turn++) {
          await clock.advance(ending === "goes on" ? 100 : 0);
          while (running.length > 0) await all.end();
        }
        all.check();
        batches += all.log.filter((line) => !line.startsWith("-")).length;
        expect(all.broken).toEqual([]);
        expect(items.filter(({ state }) => state !== "over")).toEqual([]);
        expect([all.done(), all.scheduler.held(), clock.pending]).toEqual([items.length, 0, 0]);
        expect(stopped).toBe(ending !== "goes on");
      },
    ),
    { numRuns: 2000 },
  );
  expect(batches).toBeGreaterThan(2000);
  expect(retried).toBeGreaterThan(500);
}, 120_000);
