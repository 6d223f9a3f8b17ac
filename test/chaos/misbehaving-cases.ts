import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CloudEvent, fixedBackoff, type HandlerDelivery, type SubscribeOptions } from "waybill";
import { createDeadLetterQueue, type Letter } from "waybill/dead-letter";
import { openBus, type Place, publishAll } from "./places.ts";
import { lettersOf } from "./poison-run.ts";
import { report, until } from "./support/chaos.ts";

type Handler = (event: CloudEvent, delivery: HandlerDelivery) => unknown;

const group = "billing";
const attempts = 2;
const never = (): Promise<never> => new Promise(() => undefined);
const reject = (reason: unknown): (() => Promise<never>) => {
  // A lint rule wants errors; handlers do not always have some.
  return () => Promise.reject(reason);
};
const raise = (reason: unknown): (() => never) => {
  return () => {
    throw reason;
  };
};

/** Handlers that fail in every way there is, by the name of their event. */
const failures: Readonly<Record<string, Handler>> = {
  "throws an error": raise(new TypeError("no card")),
  "throws undefined": raise(undefined),
  "throws a symbol": raise(Symbol("no")),
  "throws an object that cannot be looked at": raise(
    new Proxy(
      {},
      {
        has: raise(new Error("no look")),
        get: raise(new Error("no look")),
        getPrototypeOf: raise(new Error("no look")),
      },
    ),
  ),
  "throws an error whose message is no text": raise(Object.assign(new Error("x"), { message: Object.create(null) })),
  "throws an error whose name is no text": raise(Object.assign(new Error("x"), { name: Object.create(null) })),
  "rejects with undefined": reject(undefined),
  "rejects with a string": reject("no card"),
  "rejects with an object without prototype": reject(Object.create(null)),
  "returns a promise of its own make that throws": () => ({
    // biome-ignore lint/suspicious/noThenProperty: the point of it
    then: raise(new RangeError("no then")),
  }),
};

/** Handlers that misbehave: each has its outcome, and none holds up what comes behind it. */
export function misbehavingCases(open: () => Promise<Place>): void {
  let place: Place;
  beforeAll(async () => {
    place = await open();
  });
  afterAll(() => place?.[Symbol.asyncDispose]());

  /** One lane, one event at a time: whatever holds it up holds up everything. */
  async function handle(name: string, handler: Handler, more: Omit<SubscribeOptions<"on">, "batch"> = {}) {
    const destination = await place.destination(name);
    const { bus, errors } = await openBus(place);
    const handled: unknown[] = [];
    const calls: unknown[] = [];
    const subscription = await bus.subscribe(
      "order.placed",
      async (event, delivery) => {
        calls.push(event.data);
        await handler(event, delivery);
        handled.push(event.data);
      },
      { destination, group, retry: { attempts, backoff: fixedBackoff(10) }, deadLetter: true, ...more },
    );
    const queue = await createDeadLetterQueue({ bus, destination });
    const letters = async (): Promise<Letter[]> => lettersOf(queue);
    const send = (...data: readonly unknown[]): Promise<void> =>
      publishAll(
        bus,
        data.map((each) => ({ type: "order.placed", data: each, key: "k", destination })),
      );
    return { bus, subscription, errors, handled, calls, letters, send, destination };
  }

  describe("a handler that misbehaves", () => {
    test("hangs: the attempt fails with timeout after its limit, and its lane goes on", async () => {
      const signals: unknown[] = [];
      const { bus, calls, handled, letters, send, errors } = await handle(
        "hangs",
        async ({ data }, { signal }) => {
          if (data !== "hang") return;
          signal.addEventListener("abort", () => signals.push((signal.reason as { code: string }).code));
          await never();
        },
        { timeoutMs: 200 },
      );
      await send("hang", "next");
      await until("the next is handled", () => handled.includes("next"));
      await until("the letter is there", async () => (await letters()).length === 1);
      const [letter] = await letters();
      expect([letter!.error.type, letter!.reason, letter!.attempts]).toEqual([
        "timeout",
        "attempts-exhausted",
        attempts,
      ]);
      expect(calls.filter((data) => data === "hang").length).toBe(attempts);
      expect([signals, errors.map(({ code }) => code)]).toEqual([
        ["timeout", "timeout"],
        ["timeout", "timeout"],
      ]);
      await bus.close();
    });

    test("fails in any way there is: each is an attempt, and what comes behind is handled", async () => {
      const names = Object.keys(failures);
      const { bus, calls, handled, letters, send, errors } = await handle("fails", (event, delivery) =>
        failures[event.data as string]?.(event, delivery),
      );
      for (const name of names) await send(name, `after one that ${name}`);
      await until("the last is handled", () => handled.length === names.length);
      await until("the letters are there", async () => (await letters()).length >= names.length);
      const found = await letters();
      expect(found.map(({ event }) => event!.data).sort()).toEqual([...names].sort());
      for (const { event, reason, attempts: failed } of found) {
        expect([event!.data, reason, failed]).toEqual([event!.data, "attempts-exhausted", attempts]);
      }
      for (const name of names) expect([name, calls.filter((data) => data === name).length]).toEqual([name, attempts]);
      expect(errors).toEqual([]);
      report(5, place.name, { "ways to fail": names.length, "letters, each once": found.length, "lanes held up": 0 });
      await bus.close();
    });

    test("settles twice, or late: the first word counts, and none after its end", async () => {
      const late: HandlerDelivery[] = [];
      const seen: unknown[] = [];
      const { bus, handled, letters, send, errors, calls } = await handle("settles", ({ data }, delivery) => {
        seen.push([data, delivery.attempt]);
        if (data === "late") late.push(delivery);
        if (data === "retry first" && delivery.attempt === 1) {
          delivery.retryAfter(10);
          delivery.retryAfter(60_000);
          delivery.deadLetter("second word");
        }
        if (data === "dead letter first") {
          delivery.deadLetter("first word");
          delivery.retryAfter(10);
          delivery.deadLetter("third word");
        }
        if (data === "dead letter, then an error") {
          delivery.deadLetter("first word");
          throw new TypeError("after it");
        }
      });
      await send("retry first", "dead letter first", "dead letter, then an error", "late", "last");
      await until("the last is handled", () => handled.includes("last"));
      for (const delivery of late) {
        delivery.deadLetter("too late");
        delivery.retryAfter(1);
      }
      await send("after it all");
      await until("what comes then is handled", () => handled.includes("after it all"));
      await until("the letters are there", async () => (await letters()).length >= 2);
      expect(calls.filter((data) => data === "retry first").length).toBe(2);
      expect(calls.filter((data) => data === "late").length).toBe(1);
      const found = await letters();
      expect(
        found.map(({ event, reason, error, attempts: failed }) => [event!.data, reason, error.message, failed]),
      ).toEqual([
        ["dead letter first", "requested", "first word", 1],
        ["dead letter, then an error", "requested", "first word", 1],
      ]);
      expect(found.map(({ error }) => error.type)).toEqual(["handler-failed", "TypeError"]);
      expect(errors).toEqual([]);
      await bus.close();
    });

    test("ends after its lane went to another member: its word is void, and nothing is lost", async () => {
      let finish: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        finish = resolve;
      });
      let started = false;
      let aborted = false;
      let ended = false;
      const { bus, subscription, errors, letters, send, destination } = await handle("revoked", async (_, delivery) => {
        started = true;
        delivery.signal.addEventListener("abort", () => {
          aborted = true;
        });
        await gate;
        ended = true;
        delivery.deadLetter("the word of who has lost it");
        throw new Error("late");
      });
      await send("first", "second", "third");
      await until("the first runs", () => started);
      // The transport stays: a late word could still do something.
      const report = await subscription.close({ deadlineMs: 50 });
      expect([report.unsettled, aborted]).toEqual([1, true]);
      const { bus: next, errors: nextErrors } = await openBus(place);
      const handled: unknown[] = [];
      await next.subscribe("order.placed", ({ data }) => void handled.push(data), {
        ...{ destination, group, retry: { attempts, backoff: fixedBackoff(10) }, deadLetter: true },
      });
      await until("the next member has all", () => handled.length === 3);
      finish();
      await until("the late handler has ended", () => ended);
      await send("fourth");
      await until("the lane goes on", () => handled.includes("fourth"));
      expect([...handled].sort()).toEqual(["first", "fourth", "second", "third"]);
      expect(await letters()).toEqual([]);
      expect([errors, nextErrors]).toEqual([[], []]);
      await next.close();
      await bus.close();
    });
  });
}
