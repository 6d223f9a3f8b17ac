import { describe, expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff } from "waybill";
import { memoryIdempotency, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

function setUp() {
  const clock = fakeClock();
  const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport({ clock }) }, clock });
  const options = { group: "g", retry: { attempts: 3, backoff: fixedBackoff(10) } };
  return { clock, bus, options, idempotency: { store: memoryIdempotency({ clock }) } };
}

describe("a responder that asks for another attempt", () => {
  test.each([true, false])("answers by that one alone, done once: %s", async (once) => {
    const { clock, bus, options, idempotency } = setUp();
    let calls = 0;
    const respond = (_: unknown, delivery: { retryAfter(delayMs: number): void }): unknown => {
      if (++calls > 1) return { price: 5 };
      delivery.retryAfter(100);
      return { price: 0 };
    };
    await bus.respond("quote", respond, { ...options, ...(once && { idempotency }) });
    const asked = bus.request("quote", {});
    await clock.advance(2_000);
    expect([(await asked).data, calls]).toEqual([{ price: 5 }, 2]);
  });

  test("does so too where it throws beside it", async () => {
    const { clock, bus, options } = setUp();
    let calls = 0;
    await bus.respond(
      "quote",
      (_, delivery) => {
        if (++calls > 1) return { price: 5 };
        delivery.retryAfter(100);
        throw new EventError("unreachable", "busy");
      },
      options,
    );
    const asked = bus.request("quote", {});
    await clock.advance(2_000);
    expect([(await asked).data, calls]).toEqual([{ price: 5 }, 2]);
  });
});

test("a responder that gives its request up says so at once", async () => {
  const { clock, bus, options } = setUp();
  await bus.respond("quote", (_, delivery) => delivery.deadLetter("no such thing"), { ...options, deadLetter: true });
  const asked = bus.request("quote", {}).catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await asked).toMatchObject({ code: "remote-error", cause: { code: "handler-failed" } });
});

test("a responder that closes leaves no timer behind its claims", async () => {
  const { clock, bus, options, idempotency } = setUp();
  const responder = await bus.respond("quote", () => ({ price: 5 }), { ...options, idempotency });
  const asked = bus.request("quote", {});
  await clock.advance(10);
  expect((await asked).data).toEqual({ price: 5 });
  const closing = responder.close();
  await clock.advance(10);
  await closing;
  expect(clock.pending).toBe(0);
});
