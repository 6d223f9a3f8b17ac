import { describe, expect, test } from "vitest";
import {
  createEventBus,
  type EventError,
  fixedBackoff,
  type IdempotencyStore,
  type SubscribeOptions,
  type TransactionalInbox,
} from "waybill";
import { memoryIdempotency, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { sleep } from "../../../core/sleep.ts";

const retry = { attempts: 3, backoff: fixedBackoff(1_000) };

/** A bus over a transport that forgets what it stored, so that one event can be published twice. */
function forgetful() {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, dedupWindowMs: 1 });
  const bus = createEventBus({ source: "/shop", transports: { memory }, clock });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const publish = async (id: string): Promise<void> => {
    await bus.publish("order", {}, { id });
    await clock.advance(10);
  };
  return { clock, bus, errors, publish };
}

describe("a subscription with a store of claims", () => {
  test("handles an event once that comes twice, per destination and group", async () => {
    const { clock, bus, publish } = forgetful();
    const store = memoryIdempotency({ clock });
    const handled: string[] = [];
    for (const group of ["billing", "mail"]) {
      await bus.subscribe("order", ({ id }) => void handled.push(`${group} ${id}`), { group, idempotency: { store } });
    }
    await publish("a");
    await publish("a");
    await publish("b");
    expect(handled.sort()).toEqual(["billing a", "billing b", "mail a", "mail b"]);
  });

  test("gives the claim back when the handler fails, so that the event comes again", async () => {
    const { clock, bus, publish, errors } = forgetful();
    let calls = 0;
    await bus.subscribe(
      "order",
      () => {
        if (++calls < 3) throw new Error("not yet");
      },
      { group: "g", retry, idempotency: { store: memoryIdempotency({ clock }) } },
    );
    await publish("a");
    await clock.advance(10_000);
    await publish("a");
    expect([calls, errors.length]).toEqual([3, 2]);
  });

  test("does not take an event for handled whose handler asked for another attempt", async () => {
    const { clock, bus, publish } = forgetful();
    let calls = 0;
    await bus.subscribe(
      "order",
      (_, delivery) => {
        if (++calls === 1) delivery.retryAfter(50);
      },
      { group: "g", retry, idempotency: { store: memoryIdempotency({ clock }) } },
    );
    await publish("a");
    await clock.advance(1_000);
    expect(calls).toBe(2);
  });

  test.each(["its claim is given back", "its transaction is rolled back"])(
    "listens to no handler that goes on beyond its time, also while %s",
    async (what) => {
      const { clock, bus, publish } = forgetful();
      const memory = memoryIdempotency({ clock });
      const claims: IdempotencyStore = {
        ...memory,
        async release(key, token) {
          await sleep(clock, 100);
          await memory.release(key, token);
        },
      };
      const inbox: TransactionalInbox<undefined> = {
        async run(_, work) {
          try {
            return { repeated: false, result: await work(undefined) };
          } catch (reason) {
            await sleep(clock, 100);
            throw reason;
          }
        },
      };
      const store = what.includes("claim") ? claims : inbox;
      const calledMs: number[] = [];
      await bus.subscribe(
        "order",
        async (_, delivery) => {
          if (calledMs.push(clock.now()) > 1) return;
          await sleep(clock, 550);
          delivery.retryAfter(0);
        },
        { group: "g", retry: { ...retry, timeoutMs: 500 }, idempotency: { store } },
      );
      await publish("a");
      await clock.advance(5_000);
      // 500 ms for the attempt, 100 to give it back, 1,000 of the policy.
      expect(calledMs[1]! - calledMs[0]!).toBe(1_600);
    },
  );

  test("waits for who holds the event, and burns no attempt", async () => {
    const { clock, bus, publish, errors } = forgetful();
    const store = memoryIdempotency({ clock });
    const attempts: number[] = [];
    await bus.subscribe("order", (_, { attempt }) => void attempts.push(attempt), {
      group: "g",
      retry: { attempts: 1 },
      deadLetter: true,
      idempotency: { store, key: ({ id }) => id },
    });
    const key = "g\norder\nkey\na";
    expect(await store.claim(key, { leaseMs: 20_000 })).toMatchObject({ state: "claimed" });
    await publish("a");
    await clock.advance(19_000);
    expect(attempts).toEqual([]);
    await clock.advance(10_000);
    expect([attempts, errors]).toEqual([[1], []]);
  });

  test("keeps its claim while the handler runs, however long", async () => {
    const { clock, bus, publish } = forgetful();
    const store = memoryIdempotency({ clock });
    let running = 0;
    let most = 0;
    const options = { idempotency: { store, leaseMs: 1_000, key: () => "one" }, concurrency: 4, group: "g" } as const;
    await bus.subscribe(
      "order",
      async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => clock.after(30_000, resolve));
        running--;
      },
      options,
    );
    await publish("a");
    await publish("b");
    await clock.advance(25_000);
    expect(most).toBe(1);
    await clock.advance(30_000);
    expect([most, running]).toEqual([1, 0]);
  });

  test.each([{ leaseMs: 0 }, { keepMs: Number.NaN }])("refuses %s", async (given) => {
    const { clock, bus } = forgetful();
    const idempotency = { store: memoryIdempotency({ clock }), ...given };
    await expect(bus.subscribe("order", () => undefined, { group: "g", idempotency })).rejects.toMatchObject({
      code: "invalid-option",
    });
  });

  test("refuses what is no store, and batches", async () => {
    const { clock, bus } = forgetful();
    const none = { idempotency: { store: {} as IdempotencyStore } };
    await expect(bus.subscribe("order", () => undefined, none)).rejects.toMatchObject({ code: "invalid-option" });
    const batch = { maxEvents: 3, maxWaitMs: 10 };
    const store = memoryIdempotency({ clock });
    await expect(bus.subscribe("order", () => undefined, { batch, idempotency: { store } })).rejects.toMatchObject({
      code: "invalid-option",
    });
  });

  test("treats a store that is away as a failure of the attempt", async () => {
    const { clock, bus, publish, errors } = forgetful();
    const store = memoryIdempotency({ clock });
    let away = true;
    let calls = 0;
    const flaky: IdempotencyStore = {
      ...store,
      claim: (...given) => (away ? Promise.reject(new Error("store is away")) : store.claim(...given)),
    };
    await bus.subscribe("order", () => void calls++, { group: "g", retry, idempotency: { store: flaky } });
    await publish("a");
    away = false;
    await clock.advance(5_000);
    expect([calls, errors.map(({ message }) => message)]).toEqual([1, ["store is away"]]);
  });
});

describe("a subscription with the inbox of a database", () => {
  /** An inbox in memory: a fake of what `postgresInbox` does, with a transaction that can be looked at. */
  function fakeInbox() {
    const done = new Map<string, string | undefined>();
    const transactions: { rows: string[]; ended?: "commit" | "rollback" }[] = [];
    const inbox: TransactionalInbox<{ rows: string[] }> = {
      async run(key, work) {
        if (done.has(key)) return { repeated: true, result: done.get(key) };
        const transaction: (typeof transactions)[0] = { rows: [] };
        transactions.push(transaction);
        try {
          const result = await work(transaction);
          done.set(key, result);
          transaction.ended = "commit";
          return { repeated: false, result };
        } catch (reason) {
          transaction.ended = "rollback";
          throw reason;
        }
      },
    };
    return { inbox, transactions };
  }

  test("hands its transaction to the handler, typed, and commits with it", async () => {
    const { clock, bus, publish } = forgetful();
    const { inbox, transactions } = fakeInbox();
    let calls = 0;
    await bus.subscribe(
      "order",
      ({ id }, { transaction }) => {
        transaction.rows.push(id);
        if (++calls === 1) throw new Error("no");
      },
      { group: "g", retry, idempotency: { store: inbox } },
    );
    await publish("a");
    await clock.advance(5_000);
    await publish("a");
    expect(transactions).toEqual([
      { rows: ["a"], ended: "rollback" },
      { rows: ["a"], ended: "commit" },
    ]);
  });
});

describe("a responder with idempotency", () => {
  test("answers a repeated request with what it answered first", async () => {
    const { clock, bus } = forgetful();
    let calls = 0;
    const options = {
      group: "pricing",
      idempotency: { store: memoryIdempotency({ clock }) },
    } satisfies SubscribeOptions<"memory">;
    await bus.respond("price", () => ({ price: ++calls }), options);
    const ask = async (id: string): Promise<unknown> => {
      const reply = bus.request("price", {}, { id });
      await clock.advance(100);
      return (await reply).data;
    };
    expect([await ask("q-1"), await ask("q-1"), await ask("q-2")]).toEqual([{ price: 1 }, { price: 1 }, { price: 2 }]);
  });
});
