import { describe, expect, test } from "vitest";
import { createEventBus, EventError, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { all, codeOf, pass, setUp } from "./set-up.ts";

const someId = "1eaoleo1b75x5d1luvxec1lo3zj9";

/** What is rejected while `work` goes on, and nobody handles. */
async function unhandledIn(work: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = [];
  const listen = (reason: unknown): void => void found.push(String(reason));
  process.on("unhandledRejection", listen);
  await work();
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", listen);
  return found;
}

/** A letter of `billing`, and what someone else wrote beside it. */
async function forged(...headers: string[]) {
  const made = await setUp();
  made.failing.set("billing", new Set(["mine"]));
  await made.join("billing");
  await made.join("mail");
  await made.place("mine");
  const event = ["ce-specversion", "1.0", "ce-id", "x", "ce-source", "/x", "ce-type", "order.placed"];
  const origin = ["waybill-dlq-destination", "orders", "waybill-dlq-transport", "memory"];
  const message = { destination: "orders.dlq", key: undefined, body: "{}" };
  await made.transport.publish([{ ...message, headers: [...event, ...origin, ...headers] }]);
  return made;
}

describe("a message among the letters that someone else wrote", () => {
  test.for(["not a key", "", "x".repeat(29), "X".repeat(28)])("is no letter, with %j as its id", async (id) => {
    const { ids, letters } = await forged("waybill-dlq-id", id, "waybill-dlq-group", "billing");
    expect(await ids()).toEqual(["mine"]);
    expect(await letters.park({})).toBe(1);
  });

  test("is listed and never sent to everybody, where it names no group", async () => {
    const { clock, failing, handled, ids, letters } = await forged("waybill-dlq-id", someId);
    failing.clear();
    expect((await ids()).sort()).toEqual(["mine", "x"]);
    expect(await letters.redrive({}, { dryRun: true })).toMatchObject({ redriven: 1, failed: 1 });
    expect(await letters.redrive()).toMatchObject({
      ...{ redriven: 1, failed: 1, failures: [{ id: someId, error: { code: "malformed-message" } }] },
    });
    await pass(clock, 1_000);
    expect([handled.get("billing"), handled.get("mail")]).toEqual([["mine"], ["mine"]]);
    expect(await letters.discard(someId)).toBe(1);
  });

  test.for(["x", "-1", "1.5", "Infinity", ""])("counts no redrives where it says %j", async (redrives) => {
    const { listed } = await forged(
      ...["waybill-dlq-id", someId, "waybill-dlq-group", "billing"],
      ...["waybill-dlq-redrives", redrives, "waybill-dlq-attempts", redrives],
    );
    expect(await listed({ ids: [someId] })).toMatchObject([{ redrives: 0, attempts: 0 }]);
  });
});

describe("nothing is rejected that nobody hears of", () => {
  /** A store of notes that fails, a little later than it is asked. */
  async function flakySetUp() {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    let away = false;
    const flaky: Transport = {
      ...memory,
      async openState(name, options) {
        const store = await memory.openState!(name, options);
        return {
          ...store,
          get: async (key) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            if (away) throw new EventError("timeout", "away", { retryable: true });
            return store.get(key);
          },
        };
      },
    };
    const bus = createEventBus({ source: "/shop", transports: { flaky }, clock });
    await bus.subscribe(
      "order",
      () => {
        throw new Error("no");
      },
      { destination: "orders", group: "g", deadLetter: true, retry: { attempts: 1 }, concurrency: 10 },
    );
    for (let n = 0; n < 10; n++) await bus.publish("order", {}, { destination: "orders" });
    await pass(clock, 1_000);
    const queue = await createDeadLetterQueue({ bus, destination: "orders" });
    return {
      queue,
      fail: () => {
        away = true;
      },
    };
  }

  test("by a list whose store fails", async () => {
    const { queue, fail } = await flakySetUp();
    fail();
    const unhandled = await unhandledIn(async () => {
      expect(await codeOf(all(queue.list()))).toBe("timeout");
    });
    expect(unhandled).toEqual([]);
  });

  test("by an onProgress that throws or rejects, and the redrive goes on", async () => {
    const { clock, failing, join, place, letters, errors } = await setUp();
    failing.set("g", new Set(["a", "b", "c"]));
    await join("g");
    await place("a", "b", "c");
    errors.length = 0;
    const throwing = (): void => {
      throw new Error("a mistake of the user's");
    };
    const rejecting = async (): Promise<void> => throwing();
    const unhandled = await unhandledIn(async () => {
      failing.clear();
      expect(await letters.redrive({ key: "a" }, { onProgress: throwing })).toMatchObject({ redriven: 1 });
      expect(await letters.redrive({}, { onProgress: rejecting })).toMatchObject({ redriven: 2 });
      await pass(clock, 100);
    });
    expect(unhandled).toEqual([]);
    expect(new Set(errors.map(({ code, message }) => `${code}: ${message}`))).toEqual(
      new Set(["handler-failed: a mistake of the user's"]),
    );
  });
});
