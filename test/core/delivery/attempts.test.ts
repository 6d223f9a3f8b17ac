import { describe, expect, test } from "vitest";
import { createEventBus, type EventError, fixedBackoff, type HandlerDelivery, type SubscribeOptions } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

const backoff = fixedBackoff(1_000);
const throws = (): never => {
  throw new Error("a mistake of the user's");
};
const hostile = new Proxy({}, { has: throws, get: throws, getPrototypeOf: throws });

function setUp() {
  const clock = fakeClock();
  const transport = memoryTransport({ clock });
  const bus = createEventBus({ source: "/shop", transports: { memory: transport }, clock });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const letters = async (destination = "order.dlq"): Promise<Record<string, string>[]> => {
    const found: Record<string, string>[] = [];
    for await (const { headers, body } of transport.read!({ destination })) {
      const entry: Record<string, string> = { body: new TextDecoder().decode(body ?? new Uint8Array()) };
      for (const name of headers.keys()) entry[name.replace("waybill-dlq-", "")] = headers.get(name)!;
      found.push(entry);
    }
    return found;
  };
  return { clock, transport, bus, errors, letters };
}

const group = "billing";
const give = { destination: "order", group, deadLetter: true } satisfies SubscribeOptions;

describe("a policy of attempts", () => {
  test("tries so often, each time after its wait, and then sets the event aside", async () => {
    const { clock, bus, letters, errors } = setUp();
    const attempts: [number, number][] = [];
    const startMs = clock.now();
    await bus.subscribe(
      "order",
      (_, { attempt }) => {
        attempts.push([attempt, clock.now() - startMs]);
        throw new TypeError("no card");
      },
      { ...give, retry: { attempts: 3, backoff } },
    );
    await bus.publish("order", { orderId: "o-1" }, { id: "e-1" });
    await clock.advance(10_000);
    expect(attempts).toEqual([
      [1, 0],
      [2, 1_000],
      [3, 2_000],
    ]);
    expect(errors.map(({ code }) => code)).toEqual(["handler-failed", "handler-failed", "handler-failed"]);
    const [letter, ...more] = await letters();
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      body: '{"orderId":"o-1"}',
      "ce-id": "e-1",
      reason: "attempts-exhausted",
      "error-type": "TypeError",
      "error-message": "no card",
      destination: "order",
      transport: "memory",
      group,
      attempts: "3",
      "first-failed-at": new Date(startMs).toISOString(),
      "last-failed-at": new Date(startMs + 2_000).toISOString(),
    });
  });

  test("gives up at once what is not retryable, and what the classification says", async () => {
    const { clock, bus, letters } = setUp();
    let calls = 0;
    await bus.subscribe(
      "order",
      () => {
        calls++;
        throw new RangeError("never");
      },
      {
        ...give,
        retry: { attempts: 5, backoff, classify: ({ cause }) => (cause instanceof RangeError ? "give-up" : "retry") },
      },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect([calls, (await letters()).map(({ reason }) => reason)]).toEqual([1, ["not-retryable"]]);
  });

  test.each([
    ["a classification that throws", { classify: throws }],
    ["a backoff that throws", { backoff: throws }],
    ["a backoff that is no time", { backoff: () => Number.NaN }],
  ])("goes on after 5 s with %s, and says so", async (_, wrong) => {
    const { clock, bus, letters, errors } = setUp();
    const handled: string[] = [];
    const startMs = clock.now();
    const calls: number[] = [];
    await bus.subscribe(
      "order",
      ({ id }) => {
        if (id !== "bad") return void handled.push(id);
        calls.push(clock.now() - startMs);
        throw new Error("no");
      },
      { ...give, order: "none", retry: { attempts: 2, backoff, ...wrong } },
    );
    await bus.publish("order", {}, { id: "bad" });
    await bus.publish("order", {}, { id: "next" });
    await clock.advance(60_000);
    expect([calls, handled]).toEqual([[0, 5_000], ["next"]]);
    expect((await letters()).map(({ reason, attempts }) => [reason, attempts])).toEqual([["attempts-exhausted", "2"]]);
    expect(errors.length).toBeGreaterThan(2);
  });

  test.each([
    ["a proxy that throws", hostile],
    ["an error whose message is no text", Object.assign(new Error("x"), { message: Object.create(null) })],
    ["an error whose name is no text", Object.assign(new Error("x"), { name: Object.create(null) })],
    ["an error whose name throws", Object.defineProperty(new Error("x"), "name", { get: throws })],
  ])("counts %s like any other failure", async (_, thrown) => {
    const { clock, bus, letters } = setUp();
    const handled: string[] = [];
    await bus.subscribe(
      "order",
      ({ id }) => {
        if (id === "bad") throw thrown;
        handled.push(id);
      },
      { ...give, retry: { attempts: 2, backoff } },
    );
    await bus.publish("order", {}, { id: "bad", key: "a" });
    await bus.publish("order", {}, { id: "next", key: "a" });
    await clock.advance(60_000);
    expect(handled).toEqual(["next"]);
    expect((await letters()).map(({ reason, attempts }) => [reason, attempts])).toEqual([["attempts-exhausted", "2"]]);
  });

  test("gives up when the next attempt would begin too late", async () => {
    const { clock, bus, letters } = setUp();
    let calls = 0;
    await bus.subscribe(
      "order",
      () => {
        calls++;
        throw new Error("no");
      },
      { ...give, retry: { attempts: 100, backoff, maxElapsedMs: 2_500 } },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect([calls, (await letters()).length]).toEqual([3, 1]);
  });

  test("without dead letters goes on for ever where the broker keeps the event", async () => {
    const { clock, bus } = setUp();
    let calls = 0;
    await bus.subscribe(
      "order",
      () => {
        calls++;
        throw new Error("no");
      },
      { destination: "order", group, retry: { backoff } },
    );
    await bus.publish("order", {});
    await clock.advance(100_500);
    expect(calls).toBe(101);
  });

  test.each([
    [{ attempts: 0 }, "attempts"],
    [{ attempts: 1.5 }, "attempts"],
    [{ maxElapsedMs: -1 }, "maxElapsedMs"],
    [{ timeoutMs: 0 }, "timeoutMs"],
    [{ maxInPlaceMs: Number.NaN }, "maxInPlaceMs"],
    [{ escalate: "later" as "topic" }, "escalate"],
  ])("refuses %s", async (retry, name) => {
    const { bus } = setUp();
    const refused = bus.subscribe("order", () => undefined, { ...give, retry });
    await expect(refused).rejects.toMatchObject({ code: "invalid-option", message: expect.stringContaining(name) });
  });
});

describe("what a handler may ask for", () => {
  test("another attempt after its own wait, though it ended well", async () => {
    const { clock, bus, letters } = setUp();
    const seen: [number, number][] = [];
    const startMs = clock.now();
    await bus.subscribe(
      "order",
      (_, delivery) => {
        seen.push([delivery.attempt, clock.now() - startMs]);
        delivery.retryAfter(7_000);
        delivery.retryAfter(1);
      },
      { ...give, retry: { attempts: 2, backoff } },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect(seen).toEqual([
      [1, 0],
      [2, 7_000],
    ]);
    expect((await letters()).map(({ attempts }) => attempts)).toEqual(["2"]);
  });

  test("to set the event aside with a reason", async () => {
    const { clock, bus, letters } = setUp();
    await bus.subscribe("order", (_, delivery) => delivery.deadLetter("the customer is gone"), give);
    await bus.publish("order", {});
    await clock.advance(1_000);
    expect(await letters()).toMatchObject([{ reason: "requested", "error-message": "the customer is gone" }]);
  });

  test("to set the event aside with a reason, which stays though it then fails", async () => {
    const { clock, bus, letters } = setUp();
    const asks = (_: unknown, delivery: HandlerDelivery): void => {
      delivery.deadLetter("the customer is gone");
      throw new TypeError("no customer");
    };
    await bus.subscribe("order", asks, give);
    await bus.publish("order", {});
    await clock.advance(1_000);
    expect(await letters()).toMatchObject([
      { reason: "requested", "error-message": "the customer is gone", "error-type": "TypeError", attempts: "1" },
    ]);
  });

  test("no wait below 0: it is told so, and an event whose handler does not catch that is set aside", async () => {
    const { clock, bus, letters } = setUp();
    await bus.subscribe("order", (_, delivery) => delivery.retryAfter(-1), give);
    await bus.publish("order", {});
    await clock.advance(1_000);
    expect(await letters()).toMatchObject([{ reason: "not-retryable", "error-type": "invalid-option", attempts: "1" }]);
  });

  test("nothing where there are no dead letters, and nothing after it has ended", async () => {
    const { clock, bus, errors } = setUp();
    let late: (() => void) | undefined;
    let calls = 0;
    await bus.subscribe(
      "order",
      (_, delivery) => {
        calls++;
        late = () => delivery.retryAfter(5);
        if (calls === 1) delivery.deadLetter("x");
      },
      { destination: "order", group, retry: { backoff } },
    );
    await bus.publish("order", {});
    await clock.advance(2_000);
    late!();
    await clock.advance(60_000);
    expect([calls, errors.map(({ code }) => code)]).toEqual([2, ["unsupported"]]);
  });
});

describe("an attempt that takes too long", () => {
  test("has failed, its signal aborts, and its lane goes on", async () => {
    const { clock, bus, letters, errors } = setUp();
    const handled: string[] = [];
    const aborted: string[] = [];
    await bus.subscribe(
      "order",
      async (event, delivery) => {
        if (event.id !== "hangs") return void handled.push(event.id);
        delivery.signal.addEventListener("abort", () => aborted.push((delivery.signal.reason as EventError).code));
        await new Promise(() => undefined);
      },
      { ...give, timeoutMs: 5_000, retry: { attempts: 2, backoff } },
    );
    await bus.publish("order", {}, { id: "hangs", key: "a" });
    await bus.publish("order", {}, { id: "next", key: "a" });
    await clock.advance(60_000);
    expect([handled, aborted]).toEqual([["next"], ["timeout", "timeout"]]);
    expect((await letters()).map((letter) => [letter["error-type"], letter.attempts])).toEqual([["timeout", "2"]]);
    expect(errors.map(({ code }) => code)).toEqual(["timeout", "timeout"]);
  });

  test("may end at the last moment, and leaves no timer behind", async () => {
    const { clock, bus, errors } = setUp();
    let handled = 0;
    await bus.subscribe(
      "order",
      async () => {
        await new Promise<void>((resolve) => clock.after(4_999, resolve));
        handled++;
      },
      { ...give, timeoutMs: 5_000 },
    );
    await bus.publish("order", {});
    await clock.advance(60_000);
    expect([handled, errors, clock.pending]).toEqual([1, [], 0]);
  });
});

describe("what no handler could take", () => {
  test("is set aside at once: unreadable bytes as they were", async () => {
    const { clock, bus, transport, letters } = setUp();
    await bus.subscribe("order", () => undefined, give);
    await transport.publish([
      { destination: "order", headers: ["x-own", "1", "Nats-Expected-Stream", "S"], body: "{" },
    ]);
    await clock.advance(100);
    expect(await letters()).toMatchObject([
      { body: "{", reason: "unreadable", "x-own": "1", "original-Nats-Expected-Stream": "S", attempts: "1" },
    ]);
  });
});
