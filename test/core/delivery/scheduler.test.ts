import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import { createScheduler } from "../../../core/delivery/scheduler.ts";
import { deliveryOf } from "./bare-delivery.ts";
import { setUp } from "./scheduler-harness.ts";

describe("the limit", () => {
  test("as many run at once as may, and each that ends makes room for one", async () => {
    const { add, end, log, scheduler, done } = setUp(2);
    for (const id of ["a", "b", "c", "d"]) add(id);
    expect(log).toEqual(["a:1", "b:1"]);
    await end("b");
    expect(log).toEqual(["a:1", "b:1", "c:1"]);
    expect([scheduler.held(), done()]).toEqual([3, 1]);
  });
  test("what pauses before its retry gives its place to another key, and none to its own", async () => {
    const { add, end, log, clock } = setUp(1);
    add("a1", "0", "a");
    add("a2", "0", "a");
    add("b1", "0", "b");
    await end("a1", 100);
    await end("b1");
    await clock.advance(99);
    expect(log).toEqual(["a1:1", "b1:1"]);
    await clock.advance(1);
    await end("a1");
    expect(log).toEqual(["a1:1", "b1:1", "a1:2", "a2:1"]);
    expect(clock.pending).toBe(0);
  });
  test("what is over at once makes room without end", () => {
    const clock = fakeClock();
    let started = 0;
    const scheduler = createScheduler({
      clock,
      concurrency: 1,
      byKey: true,
      done: () => undefined,
      run(run) {
        started++;
        run.over(undefined);
      },
    });
    scheduler.pause();
    // More than there may be calls within calls.
    for (let n = 0; n < 20_000; n++) scheduler.add(deliveryOf(`d-${n}`, { key: "k" }));
    scheduler.resume();
    expect([started, scheduler.held()]).toEqual([20_000, 0]);
  });
  test("keys wait for each other neither across lanes nor without key order", () => {
    const across = setUp(4);
    for (const lane of ["0", "1"]) across.add(`a${lane}`, lane, "a");
    expect(across.log).toEqual(["a0:1", "a1:1"]);
    const unordered = setUp(4, false);
    for (const id of ["x", "y"]) unordered.add(id, "0", "a");
    expect(unordered.log).toEqual(["x:1", "y:1"]);
  });
});

describe("revoke", () => {
  test("runs what lies below the furthest started and releases the rest", async () => {
    const { add, end, log, revoke } = setUp(2);
    add("a1", "0", "a");
    add("a2", "0", "a");
    add("b1", "0", "b");
    add("a3", "0", "a");
    add("c1", "0", "c");
    const revocation = revoke("0");
    expect(log).toEqual(["a1:1", "b1:1", "-a3", "-c1"]);
    await end("b1");
    await end("a1");
    expect([log.at(-1), revocation.resolved]).toEqual(["a2:1", false]);
    await end("a2");
    expect(revocation.resolved).toBe(true);
  });
  test("releases what pauses or fails, with what waits behind it", async () => {
    const { add, end, log, revoke, clock } = setUp(2);
    for (const id of ["a1", "a2"]) add(id, "0", "a");
    for (const id of ["b1", "b2"]) add(id, "0", "b");
    await end("a1", 1000);
    const revocation = revoke("0");
    await end("b1", 1000);
    expect(log.slice(2)).toEqual(["-a1", "-a2", "-b2", "-b1"]);
    expect([revocation.resolved, clock.pending]).toEqual([true, 0]);
  });
  test("releases all that has not started while paused, since it could not start", async () => {
    const { add, end, log, pause, revoke } = setUp(2);
    for (const id of ["a1", "a2"]) add(id, "0", "a");
    add("b1", "0", "b");
    pause(true);
    const revocation = revoke("0");
    await end("a1");
    await end("b1");
    expect([log, revocation.resolved]).toEqual([["a1:1", "b1:1", "-a2"], true]);
  });
  test("touches no other lane, and resolves at once for a lane that is empty or unknown", async () => {
    const { add, log, revoke, clock } = setUp(1);
    add("a", "0");
    add("b", "1");
    const revocations = [revoke("1"), revoke("2")];
    await clock.advance(0);
    expect(revocations.map(({ resolved }) => resolved)).toEqual([true, true]);
    expect(log).toEqual(["a:1", "-b"]);
  });
});

describe("stop", () => {
  test("releases what has not started, also what comes later, and waits for what runs", async () => {
    const { add, end, log, stop, done } = setUp(1);
    for (const id of ["a1", "a2"]) add(id, "0", "a");
    let stopped = false;
    void stop().then(() => {
      stopped = true;
    });
    add("b");
    expect([log, stopped]).toEqual([["a1:1", "-a2", "-b"], false]);
    await end("a1", 50);
    expect([log.at(-1), stopped, done()]).toEqual(["-a1", true, 3]);
  });
  test("releases what a revoked lane has left", async () => {
    const { add, end, log, revoke, stop } = setUp(2);
    for (const id of ["a1", "a2"]) add(id, "0", "a");
    add("b1", "0", "b");
    const revocation = revoke("0");
    const stopping = stop();
    await end("a1");
    await end("b1");
    await stopping;
    expect([log, revocation.resolved]).toEqual([["a1:1", "b1:1", "-a2"], true]);
  });
});

test("whatever happens, the rules hold and every delivery ends once", async () => {
  const lane = fc.constantFrom("0", "1");
  const command = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("add"), lane, key: fc.constantFrom(undefined, "a", "b"), n: fc.nat(9) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom("end", "end", "retry", "advance"),
        lane,
        key: fc.constant(undefined),
        n: fc.nat(9),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom("revoke", "pause", "resume"),
        lane,
        key: fc.constant(undefined),
        n: fc.nat(9),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 30, size: "medium" }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.boolean(),
      async (commands, concurrency, byKey, stops) => {
        const { clock, running, items, ...all } = setUp(concurrency, byKey);
        for (const [i, { kind, lane, key, n }] of commands.entries()) {
          const chosen = running()[n % Math.max(1, running().length)];
          if (kind === "add") all.add(String(i), lane, key);
          else if (kind === "revoke") all.revoke(lane);
          else if (kind === "pause" || kind === "resume") all.pause(kind === "pause");
          else if (kind === "advance") await clock.advance(n * 10);
          else if (chosen) await all.end(chosen.id, kind === "retry" ? n * 10 : undefined);
          await clock.advance(0);
          for (const each of all.revocations)
            expect(each.resolved).toBe(each.items.every(({ state }) => state === "over"));
        }
        all.pause(false);
        let stopped = false;
        if (stops) void all.stop().then(() => (stopped = true));
        for (let turn = 0; turn <= 2 * items.length; turn++) {
          await clock.advance(100);
          for (const item of running()) await all.end(item.id);
        }
        expect(all.broken).toEqual([]);
        expect(items.filter(({ state }) => state !== "over")).toEqual([]);
        expect([all.done(), all.scheduler.held(), clock.pending]).toEqual([items.length, 0, 0]);
        expect(stopped).toBe(stops);
      },
    ),
    { numRuns: 1000 },
  );
}, 60_000);
