import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import { createBatcher } from "../../../core/delivery/batch.ts";

interface Item {
  readonly id: number;
  readonly bytes: number;
}

const limits = fc.record({
  maxEvents: fc.integer({ min: 1, max: 5 }),
  maxBytes: fc.integer({ min: 1, max: 40 }),
  lingerMs: fc.constantFrom(0, 5, 20),
  maxBuffered: fc.integer({ min: 1, max: 8 }),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
});
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("add" as const), n: fc.integer({ min: 0, max: 25 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), n: fc.integer({ min: 0, max: 15 }) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("answer" as const), n: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("hurry" as const, "shift" as const), n: fc.nat(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), n: fc.nat(9) }) },
  ),
  { maxLength: 60 },
);

describe("a batcher", () => {
  test("waits no longer though the host's clock was set back", async () => {
    const clock = fakeClock();
    let backMs = 0;
    const sent: number[][] = [];
    const batcher = createBatcher<Item>(
      { now: () => clock.now() - backMs, after: clock.after },
      { maxEvents: 2, maxBytes: 99, lingerMs: 20, maxBuffered: 9, maxInFlight: 1 },
      async (items) => void sent.push(items.map(({ id }) => id)),
      () => undefined,
    );
    for (const id of [1, 2, 3]) batcher.add({ id, bytes: 1 });
    backMs = 3_600_000;
    await clock.advance(20);
    expect([sent, clock.pending]).toEqual([[[1, 2], [3]], 0]);
  });

  test("agrees with a model of its rules, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(limits, steps, async (given, script) => {
        const clock = fakeClock();
        const waiting: { item: Item; atMs: number }[] = [];
        const gone: number[] = [];
        const open: (() => void)[] = [];
        let flying = 0;
        let hurried = 0;
        let added = 0;
        const bytesOf = (): number => waiting.reduce((sum, { item }) => sum + item.bytes, 0);
        /** What the rules say should leave now. */
        const expected: number[][] = [];
        const model = (): void => {
          while (waiting.length > 0 && flying < given.maxInFlight) {
            const full = waiting.length >= given.maxEvents || bytesOf() >= given.maxBytes;
            if (!full && hurried === 0 && clock.now() - waiting[0]!.atMs < given.lingerMs) return;
            const batch: number[] = [];
            let bytes = 0;
            while (waiting.length > 0 && batch.length < given.maxEvents) {
              bytes += waiting[0]!.item.bytes;
              if (batch.length > 0 && bytes > given.maxBytes) break;
              batch.push(waiting.shift()!.item.id);
              hurried = Math.max(0, hurried - 1);
            }
            expected.push(batch);
            flying++;
          }
        };
        const sent: number[][] = [];
        const batcher = createBatcher<Item>(
          clock,
          given,
          (items) => {
            sent.push(items.map(({ id }) => id));
            return new Promise((resolve) => void open.push(resolve));
          },
          () => undefined,
        );
        const compare = (): void => {
          const now = sent.splice(0);
          expect(now).toEqual(expected.splice(0));
          gone.push(...now.flat());
          expect(batcher.waiting).toBe(waiting.length);
          expect(batcher.full()).toBe(waiting.length >= given.maxBuffered);
          const timerWanted = waiting.length > 0 && flying < given.maxInFlight;
          expect(clock.pending).toBe(timerWanted ? 1 : 0);
        };
        for (const { kind, n } of script) {
          if (kind === "add") {
            const item = { id: added++, bytes: n };
            waiting.push({ item, atMs: clock.now() });
            model();
            batcher.add(item);
          } else if (kind === "pass") {
            for (let ms = 0; ms < n; ms++) {
              await clock.advance(1);
              model();
            }
          } else if (kind === "answer" && open.length > 0) {
            open.splice(n % open.length, 1)[0]!();
            flying--;
            model();
            await clock.advance(0);
          } else if (kind === "hurry") {
            hurried = waiting.length;
            model();
            batcher.hurry();
          } else if (kind === "shift") {
            const first = waiting.shift();
            hurried = Math.max(0, hurried - 1);
            expect(batcher.shift()?.id).toBe(first?.item.id);
            if (first) gone.push(first.item.id);
          } else if (kind === "remove" && waiting.length > 0) {
            const at = n % waiting.length;
            const [{ item }] = waiting.splice(at, 1) as [{ item: Item; atMs: number }];
            if (at < hurried) hurried--;
            model();
            expect(batcher.remove(item)).toBe(true);
            expect(batcher.remove(item)).toBe(false);
            gone.push(item.id);
          }
          compare();
        }
      }),
      { numRuns: 2_000 },
    );
  }, 120_000);

  test("holds no timer when nothing waits", async () => {
    const clock = fakeClock();
    const sent: number[] = [];
    const batcher = createBatcher<Item>(
      clock,
      { maxEvents: 10, maxBytes: 1_000, lingerMs: 5, maxBuffered: 100, maxInFlight: 1 },
      async (items) => void sent.push(items.length),
      () => undefined,
    );
    expect(clock.pending).toBe(0);
    batcher.add({ id: 1, bytes: 1 });
    batcher.add({ id: 2, bytes: 1 });
    expect(clock.pending).toBe(1);
    await clock.advance(4);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect(sent).toEqual([2]);
    expect(clock.pending).toBe(0);
  });
});
