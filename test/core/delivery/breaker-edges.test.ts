import { describe, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { createHandlerBreaker } from "../../../core/delivery/handler-breaker.ts";

function setUp(changed: () => void) {
  const clock = fakeClock();
  const done: string[] = [];
  const scheduler = {
    hold: () => done.push("hold"),
    probe: () => done.push("probe"),
    unhold: () => done.push("unhold"),
  };
  const breaker = createHandlerBreaker(clock, { failures: 1, openMs: 1_000 }, () => scheduler, changed);
  return { clock, breaker, done };
}

describe("a breaker around handlers", () => {
  test("does what it has to, though who is told of it throws", async () => {
    const { clock, breaker, done } = setUp(() => {
      throw new Error("a mistake of the user's");
    });
    const thrown: unknown[] = [];
    const guarded = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (reason) {
        thrown.push(reason);
      }
    };
    await guarded(() => breaker.failed());
    expect([done, clock.pending]).toEqual([["hold"], 1]);
    await guarded(() => clock.advance(1_000));
    await guarded(() => breaker.succeeded());
    expect([done, breaker.state, thrown.length]).toEqual([["hold", "probe", "unhold"], "closed", 3]);
  });

  test("opens no more once it is stopped", async () => {
    const { clock, breaker, done } = setUp(() => undefined);
    breaker.stop();
    expect([breaker.failed(), breaker.state, done, clock.pending]).toEqual([false, "closed", [], 0]);
  });

  test("leaves no timer behind a bus that closes while a handler fails", async () => {
    const clock = fakeClock();
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
    let fail = (): void => undefined;
    const handler = (): Promise<void> =>
      new Promise((_, reject) => {
        fail = () => reject(new Error("no"));
      });
    const breaker = { failures: 1, openMs: 600_000 };
    await bus.subscribe("order", handler, { group: "g", deadLetter: true, breaker, order: "key" });
    await bus.publish("order", {}, { key: "k" });
    await clock.advance(10);
    const closing = bus.close();
    await clock.advance(1);
    fail();
    await clock.advance(1);
    await closing;
    expect(clock.pending).toBe(0);
  });
});
