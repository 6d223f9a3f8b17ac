import { describe, expect, test } from "vitest";
import { EventError, fixedBackoff } from "waybill";
import type { OutboxLead } from "waybill/outbox";
import { gate } from "./gate.ts";
import { relayHarness } from "./relay-harness.ts";

const refusal = (retryable: boolean, code: "too-large" | "unreachable" | "closed" = "too-large"): EventError =>
  new EventError(code, "not so", { retryable });

describe("a relay", () => {
  test("publishes what is committed, once, and keeps it for seven days", async () => {
    const { clock, store, add, sent, relay } = relayHarness();
    await add(["a", "k"], ["b", "k"], ["c"]);
    const running = relay();
    await clock.advance(0);
    expect(sent.sort()).toEqual(["a", "b", "c"]);
    await add(["d"]);
    await clock.advance(999);
    expect(sent).not.toContain("d");
    await clock.advance(1);
    expect(sent).toContain("d");
    expect([running.published, running.leading, await store.stats()]).toEqual([
      4,
      true,
      { pending: 0, failed: 0, oldestMs: 0 },
    ]);
    expect(await running.close()).toEqual({ unfinished: 0 });
    expect([running.leading, clock.pending]).toEqual([false, 0]);
    const lead = (await store.lead()) as OutboxLead;
    expect(await lead.prune(7 * 86_400_000 - 1_001, 10)).toBe(0);
    await lead.close();
  });

  test("removes published rows once keepMs is over", async () => {
    const { clock, store, add, relay } = relayHarness();
    await add(["a"]);
    const left = async (): Promise<number> => {
      const lead = (await store.lead()) as OutboxLead;
      const count = await lead.prune(0, 10);
      await lead.close();
      return count;
    };
    for (const [passMs, wanted] of [
      [3_590_000, 1],
      [3_670_000, 0],
    ] as const) {
      await add([`after ${passMs}`]);
      const running = relay({ keepMs: 3_600_000 });
      await clock.advance(passMs);
      await running.close();
      expect(await left()).toBe(passMs > 3_600_000 ? 0 : 2 * wanted);
    }
  });

  test("looks at once when it is notified", async () => {
    const { clock, add, sent, relay } = relayHarness();
    const running = relay({ pollMs: 60_000 });
    await clock.advance(10);
    await add(["a"]);
    running.notify();
    await clock.advance(0);
    expect(sent).toEqual(["a"]);
    await running.close();
  });

  test("sends events of a key one after the other, each after the receipt of the one before, and others at once", async () => {
    const harness = relayHarness();
    const { clock, add, sent, relay } = harness;
    harness.send = () => new Promise((resolve) => clock.after(10, resolve));
    await add(["a1", "a"], ["a2", "a"], ["b1", "b"], ["x"], ["a3", "a"], ["y"]);
    const running = relay();
    await clock.advance(0);
    expect(sent).toEqual(["a1", "b1", "x", "y"]);
    await clock.advance(10);
    expect(sent.slice(4)).toEqual(["a2"]);
    await clock.advance(10);
    expect(sent.slice(5)).toEqual(["a3"]);
    await clock.advance(10);
    expect(running.published).toBe(6);
    await running.close();
  });

  test("repeats for ever what may pass, tells of it once a minute, and goes on with the other keys", async () => {
    const harness = relayHarness();
    const { clock, add, sent, errors, relay } = harness;
    let away = true;
    harness.send = async (name) => {
      if (away && name.startsWith("a")) throw refusal(true, "unreachable");
    };
    await add(["a1", "a"], ["a2", "a"], ["b1", "b"], ["b2", "b"]);
    const running = relay({ backoff: fixedBackoff(1_000), pollMs: 100 });
    await clock.advance(20_050);
    expect(sent.filter((name) => name === "a1").length).toBeGreaterThan(15);
    expect(sent.filter((name) => name !== "a1")).toEqual(["b1", "b2"]);
    expect(errors).toEqual([["unreachable", "a1"]]);
    await clock.advance(60_000);
    expect(errors).toHaveLength(2);
    away = false;
    await clock.advance(1_100);
    expect(sent.slice(-2)).toEqual(["a1", "a2"]);
    await running.close();
  });

  test("waits longer from failure to failure, 30 s at most", async () => {
    const harness = relayHarness();
    const { clock, add, relay } = harness;
    const times: number[] = [];
    const begin = clock.now();
    harness.send = async () => {
      times.push(clock.now() - begin);
      throw refusal(true, "unreachable");
    };
    await add(["a"]);
    const running = relay({ pollMs: 10 });
    await clock.advance(120_000);
    const waits = times.slice(1).map((at, n) => at - times[n]!);
    expect(waits.slice(0, 8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    await running.close();
  });

  describe("gives up what no repetition mends", () => {
    test("after its attempts, tells each time, and goes on with its key", async () => {
      const harness = relayHarness();
      const { clock, store, add, sent, errors, relay } = harness;
      harness.send = async (name) => {
        if (name === "a1") throw refusal(false);
      };
      await add(["a1", "a"], ["a2", "a"], ["b"]);
      const running = relay({ backoff: fixedBackoff(100), pollMs: 10 });
      await clock.advance(1_000);
      expect(sent).toEqual(["a1", "b", "a1", "a1", "a2"]);
      expect(errors).toEqual([1, 2, 3].map(() => ["too-large", "a1"]));
      expect(await store.stats()).toMatchObject({ pending: 0, failed: 1 });
      expect((await store.failed(1))[0]).toMatchObject({ eventId: "a1", error: "too-large: not so", attempts: 3 });
      await running.close();
    });

    test('and holds its key with onFailed "hold" until it is tried again', async () => {
      const harness = relayHarness();
      const { clock, store, add, sent, relay } = harness;
      let wrong = true;
      harness.send = async (name) => {
        if (wrong && name === "a1") throw refusal(false);
      };
      await add(["a1", "a"], ["a2", "a"], ["b"]);
      const running = relay({ backoff: fixedBackoff(100), pollMs: 10, attempts: 1, onFailed: "hold" });
      await clock.advance(5_000);
      expect(sent).toEqual(["a1", "b"]);
      wrong = false;
      await store.retry(["1"]);
      await clock.advance(10);
      expect(sent).toEqual(["a1", "b", "a1", "a2"]);
      await running.close();
    });

    test("but not because the bus is closed", async () => {
      const harness = relayHarness();
      const { clock, store, add, relay } = harness;
      harness.send = async () => {
        throw refusal(false, "closed");
      };
      await add(["a"]);
      const running = relay({ backoff: fixedBackoff(100), pollMs: 10, attempts: 1 });
      await clock.advance(5_000);
      expect(await store.stats()).toMatchObject({ pending: 1, failed: 0 });
      await running.close();
    });

    test("a row that holds no event", async () => {
      const harness = relayHarness();
      const { clock, store, sent, errors, relay } = harness;
      await store.transaction(async (tx) => {
        for (const event of ["{", "null", '{"specversion":"1.0"}', "[]"]) {
          const rest = { eventId: event, type: "t", destination: undefined, transport: undefined, context: undefined };
          await store.add(tx, { event, key: undefined, ...rest });
        }
      });
      const running = relay({ attempts: 1 });
      await clock.advance(100);
      expect(sent).toEqual([]);
      expect(errors).toEqual([0, 1, 2, 3].map(() => ["malformed-message", undefined]));
      expect(await store.stats()).toMatchObject({ pending: 0, failed: 4 });
      await running.close();
    });
  });

  test("has no more rows at once than it may", async () => {
    const harness = relayHarness();
    const { clock, add, sent, relay } = harness;
    const open = gate();
    harness.send = () => open.passed;
    await add(...Array.from({ length: 50 }, (_, n) => [`x${n}`] as const));
    const running = relay({ maxRows: 8 });
    await clock.advance(3_000);
    expect(sent).toHaveLength(8);
    open.pass();
    await clock.advance(0);
    expect(sent).toHaveLength(50);
    await running.close();
  });

  test("gives an attempt its time, in the trace and to the place of the row", async () => {
    const harness = relayHarness();
    const { clock, store, relay } = harness;
    const given: unknown[] = [];
    harness.send = async (_, { timeoutMs, key, destination, transport }) => {
      given.push({ timeoutMs, key, destination, transport });
    };
    await store.transaction(async (tx) => {
      const event = '{"specversion":"1.0","id":"a","source":"/s","type":"t"}';
      await store.add(tx, {
        event,
        eventId: "a",
        type: "t",
        key: "k",
        destination: "d",
        transport: "n",
        context: undefined,
      });
    });
    const running = relay({ timeoutMs: 1_234 });
    await clock.advance(0);
    expect(given).toEqual([{ timeoutMs: 1_234, key: "k", destination: "d", transport: "n" }]);
    await running.close();
  });

  test("an error of its listener is told, and stops nothing", async () => {
    const harness = relayHarness();
    const { clock, add, errors, sent, relay } = harness;
    harness.send = async (name) => {
      if (name === "a") throw refusal(false);
    };
    await add(["a"], ["b"]);
    const running = relay({
      attempts: 1,
      onError: () => {
        throw new Error("in the listener");
      },
    });
    await clock.advance(0);
    await add(["c"]);
    await clock.advance(1_000);
    expect([errors, sent]).toEqual([[["handler-failed", "a"]], ["a", "b", "c"]]);
    await running.close();
  });

  test.each([
    { pollMs: 0 },
    { maxRows: 0.5 },
    { timeoutMs: 0 },
    { attempts: 0 },
    { keepMs: -1 },
    { onFailed: "park" as never },
  ])("refuses %o", (options) => {
    const { relay } = relayHarness();
    expect(() => relay(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

describe("of two relays", () => {
  test("one works, and the other takes over when it closes", async () => {
    const { clock, add, sent, relay } = relayHarness();
    const [first, second] = [relay(), relay()];
    await add(["a"]);
    await clock.advance(1_000);
    expect([sent, first.leading, second.leading]).toEqual([["a"], true, false]);
    await first.close();
    await add(["b"]);
    await clock.advance(2_000);
    expect([sent, second.leading, second.published]).toEqual([["a", "b"], true, 1]);
    await second.close();
  });

  test("one that lost its right starts nothing more, and what it had on its way is marked once it has it again", async () => {
    const harness = relayHarness();
    const { clock, store, add, sent, errors, relay } = harness;
    let lost = false;
    const flaky = {
      async lead(): Promise<OutboxLead | undefined> {
        const lead = await store.lead();
        if (!lead) return undefined;
        const check = (): void => {
          if (lost) throw new EventError("unreachable", "gone", { retryable: true });
        };
        return {
          ...lead,
          async take(options) {
            check();
            return lead.take(options);
          },
          async sent(ids) {
            check();
            return lead.sent(ids);
          },
        };
      },
    };
    const open = gate();
    harness.send = () => open.passed;
    await add(["a1", "a"], ["a2", "a"]);
    const running = relay({}, flaky);
    await clock.advance(0);
    lost = true;
    running.notify();
    await clock.advance(500);
    open.pass();
    await clock.advance(2_000);
    expect([sent, running.published]).toEqual([["a1"], 0]);
    expect(errors).toEqual([["unreachable", undefined]]);
    lost = false;
    await clock.advance(2_000);
    expect([sent, running.published, await store.stats()]).toEqual([
      ["a1", "a2"],
      2,
      { pending: 0, failed: 0, oldestMs: 0 },
    ]);
    await running.close();
  });
});

describe("closing a relay", () => {
  test("waits for what is on its way, starts nothing more, and marks it", async () => {
    const harness = relayHarness();
    const { clock, store, add, sent, relay } = harness;
    harness.send = () => new Promise((resolve) => clock.after(50, resolve));
    await add(["a1", "a"], ["a2", "a"], ["b"]);
    const running = relay();
    await clock.advance(10);
    const closing = running.close();
    await clock.advance(100);
    expect(await closing).toEqual({ unfinished: 0 });
    expect([sent, await store.stats()]).toEqual([["a1", "b"], expect.objectContaining({ pending: 1 })]);
    expect(await running.close()).toEqual({ unfinished: 0 });
    const lead = await store.lead();
    expect(lead).toBeDefined();
    await lead!.close();
  });

  test("says at its deadline what is left, and gives the right back", async () => {
    const harness = relayHarness();
    const { clock, store, add, errors, relay } = harness;
    harness.send = () => new Promise(() => undefined);
    await add(["a"], ["b"]);
    const running = relay();
    await clock.advance(10);
    const closing = running.close({ deadlineMs: 200 });
    await clock.advance(200);
    expect(await closing).toEqual({ unfinished: 2 });
    expect(await store.lead()).toBeDefined();
    await clock.advance(5_000);
    expect(errors).toEqual([]);
  });

  test("by a signal, also one that was aborted before", async () => {
    const harness = relayHarness();
    const { clock, add, sent, relay } = harness;
    const controller = new AbortController();
    const running = relay({ signal: controller.signal });
    await clock.advance(10);
    controller.abort();
    await clock.advance(0);
    await add(["a"]);
    const never = relay({ signal: controller.signal });
    await clock.advance(5_000);
    expect([sent, running.leading, never.leading, clock.pending]).toEqual([[], false, false, 0]);
  });

  test("by the end of its scope", async () => {
    const { clock, store, relay } = relayHarness();
    {
      await using running = relay();
      await clock.advance(0);
      expect(running.leading).toBe(true);
      await clock.advance(0);
    }
    expect(await store.lead()).toBeDefined();
  });

  test("does not wait for the next look when nothing is on its way", async () => {
    const { clock, relay } = relayHarness();
    const running = relay({ pollMs: 60_000 });
    await clock.advance(0);
    const standby = relay({ pollMs: 60_000 });
    await clock.advance(0);
    const begin = clock.now();
    await Promise.all([running.close(), standby.close()]);
    expect(clock.now()).toBe(begin);
  });
});
