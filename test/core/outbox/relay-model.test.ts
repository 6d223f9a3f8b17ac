// Random transactions, failures and relays against a model: nothing is lost, nothing goes out that is not committed, and
// first occurrences of a key's events are in the order of its commits.
import fc from "fast-check";
import { expect, test } from "vitest";
import { EventError, fixedBackoff } from "waybill";
import type { OutboxLead, OutboxRelay } from "waybill/outbox";
import { relayHarness, rowOf } from "./relay-harness.ts";

/** What happens to one attempt: the answer comes after `delayMs`. `unknown`: stored, but nobody hears of it. */
interface Fate {
  readonly kind: "stored" | "failed" | "unknown";
  readonly delayMs: number;
}

const row = fc.record({ key: fc.constantFrom(undefined, "a", "b", "c"), poison: fc.boolean() });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("transaction" as const),
      rows: fc.array(row, { maxLength: 5, size: "max" }),
      commits: fc.boolean(),
      openMs: fc.nat(60),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(150) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("relay" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), at: fc.nat(3), deadlineMs: fc.nat(80) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), calls: fc.integer({ min: 1, max: 4 }) }) },
);
const fate: fc.Arbitrary<Fate> = fc.record({
  kind: fc.constantFrom("stored", "stored", "stored", "failed", "unknown"),
  delayMs: fc.nat(40),
});

test.each(["continue", "hold"] as const)(
  "what is committed is published in the order of its key, onFailed %s",
  async (onFailed) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { size: "medium" }),
        fc.infiniteStream(fate),
        fc.infiniteStream(fc.nat(12)),
        fc.integer({ min: 1, max: 6 }),
        async (steps, fates, latencies, maxRows) => {
          const harness = relayHarness();
          const { clock, store } = harness;
          const committed: { readonly name: string; readonly key: string | undefined; readonly poison: boolean }[] = [];
          const open = new Set<string>();
          const stored: string[] = [];
          const early: string[] = [];
          const relays: OutboxRelay[] = [];
          let lostCalls = 0;
          let calm = false;
          let names = 0;

          harness.send = async (name) => {
            if (!committed.some((each) => each.name === name)) early.push(name);
            if (committed.find((each) => each.name === name)?.poison) throw new EventError("too-large", "never");
            const next = calm ? { kind: "stored", delayMs: 1 } : (fates.next().value as Fate);
            await new Promise<void>((resolve) => clock.after(next.delayMs, resolve));
            if (next.kind !== "failed") stored.push(name);
            if (next.kind !== "stored") throw new EventError("timeout", "not now", { retryable: true });
          };

          /** Loses its connection when told, as often as told. */
          const flaky = {
            async lead(): Promise<OutboxLead | undefined> {
              const lead = await store.lead();
              if (!lead) return undefined;
              let gone = false;
              const call = <A extends unknown[], T>(run: (...given: A) => Promise<T>) => {
                return async (...given: A): Promise<T> => {
                  if (!gone && lostCalls > 0) {
                    lostCalls--;
                    gone = true;
                    await lead.close();
                  }
                  if (gone) throw new EventError("unreachable", "gone", { retryable: true });
                  const result = await run(...given);
                  const answerMs = calm ? 0 : latencies.next().value;
                  if (answerMs > 0) await new Promise<void>((resolve) => clock.after(answerMs, resolve));
                  return result;
                };
              };
              const { take, sent, postpone, fail, prune, close } = lead;
              return {
                take: call(take),
                sent: call(sent),
                postpone: call(postpone),
                fail: call(fail),
                prune: call(prune),
                close,
              };
            },
          };
          const start = (): void => {
            const backoff = fixedBackoff(30);
            relays.push(harness.relay({ pollMs: 20, maxRows, attempts: 2, backoff, onFailed }, flaky));
          };

          start();
          const running: Promise<unknown>[] = [];
          for (const each of steps) {
            if (each.kind === "pass") await clock.advance(each.ms);
            else if (each.kind === "relay" && relays.length < 4) start();
            else if (each.kind === "close")
              running.push(relays[each.at % relays.length]!.close({ deadlineMs: each.deadlineMs }));
            else if (each.kind === "lose") lostCalls = each.calls;
            else if (each.kind === "transaction") {
              const rows = each.rows.map(({ key, poison }) => ({
                name: `e${names++}`,
                key,
                poison: poison && names % 3 === 0,
              }));
              for (const { name } of rows) open.add(name);
              const work = store.transaction(async (tx) => {
                for (const { name, key } of rows) await store.add(tx, rowOf(name, key));
                await new Promise<void>((resolve) => clock.after(each.openMs, resolve));
                if (!each.commits) throw new Error("rolled back");
                // The commit itself is the next thing that happens.
                committed.push(...rows);
              });
              running.push(work.catch(() => undefined));
            }
          }
          calm = true;
          lostCalls = 0;
          start();
          // Long enough for what hung with a relay that was closed, and for every wait.
          await clock.advance(2_000);
          await Promise.all(running);

          expect(early).toEqual([]);
          const poisoned = new Set<string>();
          const wanted = committed.filter(({ key, poison }) => {
            if (poison && key !== undefined) poisoned.add(key);
            return !poison && !(onFailed === "hold" && key !== undefined && poisoned.has(key));
          });
          expect(new Set(stored)).toEqual(new Set(wanted.map(({ name }) => name)));
          const first = [...new Set(stored)];
          for (const key of ["a", "b", "c"]) {
            const ofKey = wanted.filter((each) => each.key === key).map(({ name }) => name);
            expect(first.filter((name) => ofKey.includes(name))).toEqual(ofKey);
          }
          const stats = await store.stats();
          expect(stats.pending).toBe(committed.length - wanted.length - stats.failed);
          for (const relay of relays) await relay.close();
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  },
);
