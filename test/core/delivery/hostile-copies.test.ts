import { describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { readRecord } from "../../../core/delivery/attempt-log.ts";
import { fingerprint } from "../../../core/fingerprint.ts";

const attributes = ["ce-specversion", "1.0", "ce-source", "/x", "ce-type", "order"];
const far = "32503680000000"; // the year 3000

function setUp() {
  const clock = fakeClock();
  const memory = memoryTransport({ clock, partitions: 1 });
  const log: Transport = { ...memory, capabilities: { ...memory.capabilities, contiguous: true } };
  const bus = createEventBus({ source: "/shop", transports: { log }, clock });
  const foreign = (destination: string, id: string, headers: string[]) =>
    memory.publish([{ destination, body: "{}", headers: [...attributes, "ce-id", id, ...headers] }]);
  const calls: [string, number][] = [];
  const listen = (fail: (attempt: number) => void = () => undefined): Promise<unknown> =>
    bus.subscribe(
      "order",
      ({ id }, { attempt }) => {
        calls.push([id, attempt]);
        fail(attempt);
      },
      {
        destination: "orders",
        group: "g",
        order: "none",
        deadLetter: true,
        retry: { attempts: 3, backoff: fixedBackoff(300_000), maxInPlaceMs: 1_000, escalate: "topic" },
      },
    );
  return { clock, memory, bus, foreign, calls, listen };
}

const record = (given: object): string =>
  encodeURIComponent(
    JSON.stringify({ count: 1, firstMs: 1, lastMs: 1, code: "timeout", message: "", crashes: 0, ...given }),
  );
const retried = (due: string, text: string): string[] => [
  ...["waybill-only-group", "g", "waybill-retry-destination", "orders"],
  ...["waybill-retry-due", due, "waybill-retry-record", text],
];

describe("headers of the retry destination that a foreign client wrote", () => {
  test("count for nothing on what came by another destination", async () => {
    const { clock, foreign, calls, listen } = setUp();
    await listen();
    await foreign("orders", "x", retried(far, record({ count: 2 })));
    await clock.advance(1_000);
    expect(calls).toEqual([["x", 1]]);
  });

  test.each([
    ["a failure beyond all dates", "0", record({ firstMs: 1e300, lastMs: 1e300 })],
    ["no count", "0", record({ count: "many" })],
    ["no JSON", "0", "%7B"],
    ["no text", "0", "%zz"],
    ["no time", "soon", record({})],
    ["a letter that is missing", "0", record({ gaveUp: "attempts-exhausted" })],
  ])("keep no event from its handler there: %s", async (_, due, text) => {
    const { clock, foreign, calls, listen } = setUp();
    await listen();
    await foreign("orders.retry", "x", retried(due, text));
    await clock.advance(1_000);
    expect(calls.map(([id]) => id)).toEqual(["x"]);
  });

  test("keep no event from its letter", async () => {
    const { clock, foreign, memory, listen } = setUp();
    await listen(() => {
      throw new Error("no");
    });
    await foreign("orders.retry", "x", retried("0", record({ count: 2, firstMs: 1e300, lastMs: 1 })));
    await clock.advance(1_000_000);
    let letters = 0;
    for await (const _ of memory.read!({ destination: "orders.dlq" })) letters++;
    expect(letters).toBe(1);
  });

  test("delay an event no longer than a policy could", async () => {
    const { clock, foreign, calls, listen } = setUp();
    await listen();
    await foreign("orders.retry", "x", retried(far, record({})));
    await clock.advance(2_147_483_646);
    expect(calls).toEqual([]);
    await clock.advance(10);
    expect(calls).toEqual([["x", 2]]);
  });

  test("swallow no event that moves under an id that anyone can work out", async () => {
    const { clock, memory, bus, calls, listen } = setUp();
    await listen((attempt) => {
      if (attempt < 3) throw new Error("no");
    });
    const copy = `retry:1:${fingerprint(["g", "orders/0", "0"].join("\n"))}`;
    const forged = {
      destination: "orders.retry",
      body: "junk",
      headers: ["waybill-only-group", "other"],
      dedupId: copy,
    };
    await memory.publish([forged]);
    await bus.publish("order", {}, { id: "a", destination: "orders" });
    await clock.advance(1_000);
    expect(await memory.publish([forged])).toMatchObject([{ at: { duplicate: true } }]);
    await clock.advance(700_000);
    expect(calls).toEqual([
      ["a", 1],
      ["a", 2],
      ["a", 3],
    ]);
  });
});

test("an error with a long message costs no attempt where its event moves", async () => {
  const { clock, bus, calls, listen } = setUp();
  await listen(() => {
    throw new Error("ошибка ".repeat(3_000));
  });
  await bus.publish("order", {}, { id: "a", destination: "orders" });
  await clock.advance(1_000_000);
  expect(calls.map(([, attempt]) => attempt)).toEqual([1, 2, 3]);
});

test("a record is read back as it was, and nothing else is one", () => {
  const kept = { count: 2, firstMs: 5, lastMs: 6, code: "timeout", message: "late", crashes: 1, gaveUp: "requested" };
  expect(readRecord(JSON.stringify(kept))).toEqual(kept);
  for (const text of ["", "null", "1", "[]", "{}", JSON.stringify({ ...kept, crashes: -1 })]) {
    expect(readRecord(text)).toBeUndefined();
  }
});

describe("an event at the limits", () => {
  function full(bus: ReturnType<typeof setUp>["bus"]): Promise<unknown> {
    const headers = Object.fromEntries(Array.from({ length: 248 }, (_, n) => [`x-${n}`, "v"]));
    return bus.publish("order", {}, { id: "a", destination: "orders", headers });
  }

  test("can be moved and redriven, though its copies carry more", async () => {
    const { clock, bus, calls, listen } = setUp();
    let away = true;
    await listen(() => {
      if (away) throw new Error("no");
    });
    await full(bus);
    await clock.advance(1_000_000);
    expect(calls.map(([, attempt]) => attempt)).toEqual([1, 2, 3]);
    away = false;
    const queue = await createDeadLetterQueue({ bus, destination: "orders" });
    expect(await queue.redrive()).toMatchObject({ redriven: 1 });
    await clock.advance(1_000);
    expect(calls.length).toBe(4);
  });

  test("gets no more than a copy needs by headers of that name", async () => {
    const { clock, foreign, calls, listen, bus } = setUp();
    const codes: string[] = [];
    bus.onError(({ code }) => codes.push(code));
    await listen();
    const many = Array.from({ length: 400 }, (_, n) => [`waybill-${n}`, "v"]).flat();
    await foreign("orders", "many", many);
    await foreign("orders", "large", ["waybill-x", "v".repeat(90_000)]);
    await foreign("orders", "other", Array.from({ length: 260 }, (_, n) => [`x-${n}`, "v"]).flat());
    await clock.advance(1_000);
    expect([calls, codes]).toEqual([[], ["too-large", "too-large", "too-large"]]);
  });
});

test("a count of redrives that is none counts for nothing", async () => {
  const { clock, foreign, bus, listen } = setUp();
  await listen((attempt) => {
    throw new Error(`no ${attempt}`);
  });
  await foreign("orders", "x", ["waybill-only-group", "g", "waybill-redrive-count", "x"]);
  await clock.advance(1_000_000);
  const queue = await createDeadLetterQueue({ bus, destination: "orders" });
  const redrives: number[] = [];
  for await (const letter of queue.list()) redrives.push(letter.redrives);
  expect(redrives).toEqual([0]);
});
