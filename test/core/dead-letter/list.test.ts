import { describe, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import type { natsTransport } from "waybill/nats";
import { codeOf, setUp } from "./set-up.ts";

describe("a list of dead letters", () => {
  test("tells each event that failed, with its bytes, its error and where it was", async () => {
    const { clock, failing, join, place, listed } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing");
    const startMs = clock.now();
    await place("a-1", "b-1");
    const [letter, ...more] = await listed();
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      event: { id: "a-1", type: "order.placed", data: { id: "a-1" }, source: "/shop" },
      reason: "attempts-exhausted",
      error: { type: "Error", message: "no a-1" },
      origin: { transport: "memory", destination: "orders", position: "0" },
      group: "billing",
      key: "a",
      attempts: 2,
      firstFailedAt: new Date(startMs).toISOString(),
      lastFailedAt: new Date(startMs + 100).toISOString(),
      redrives: 0,
      status: "waiting",
    });
    expect(new TextDecoder().decode(letter!.raw.body!)).toBe('{"id":"a-1"}');
    expect(letter!.raw.headers.join(" ")).not.toContain("waybill");
  });

  test("has each letter once, though it was stored twice", async () => {
    const { clock, transport, failing, join, place, listed } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing");
    await place("a-1");
    for await (const { headers, body, key } of transport.read!({ destination: "orders.dlq" })) {
      await transport.publish([{ destination: "orders.dlq", headers: headers.entries(), body, key }]);
    }
    await clock.advance(10);
    expect((await listed()).length).toBe(1);
  });

  test("tells unreadable messages with their bytes alone", async () => {
    const { clock, transport, join, listed } = await setUp();
    await join("billing");
    await transport.publish([{ destination: "orders", headers: ["x-a", "1"], body: "no event" }]);
    await clock.advance(1_000);
    const [letter] = await listed();
    expect(letter).toMatchObject({ event: undefined, reason: "unreadable", raw: { headers: ["x-a", "1"] } });
  });

  test("goes by filter", async () => {
    const { clock, failing, join, place, ids } = await setUp();
    failing.set("billing", new Set(["a-1", "b-1", "c-1"]));
    failing.set("mail", new Set(["b-1"]));
    await join("billing");
    await join("mail");
    await place("a-1");
    const betweenMs = clock.now();
    await place("b-1", "c-1");
    expect(await ids()).toEqual(expect.arrayContaining(["a-1", "b-1", "b-1", "c-1"]));
    expect(await ids({ group: "mail" })).toEqual(["b-1"]);
    expect(await ids({ key: "c" })).toEqual(["c-1"]);
    expect(await ids({ since: new Date(betweenMs), group: "billing" })).toEqual(expect.arrayContaining(["b-1", "c-1"]));
    expect(await ids({ until: new Date(betweenMs).toISOString() })).toEqual(["a-1"]);
    expect(await ids({ type: "order.*", reason: ["attempts-exhausted"], errorType: "Error", key: "a" })).toEqual([
      "a-1",
    ]);
    expect(await ids({ type: "order" })).toEqual([]);
    expect(await ids({ reason: "unreadable" })).toEqual([]);
    expect(await ids({ destination: "other" })).toEqual([]);
  });

  test("goes on behind a cursor", async () => {
    const { failing, join, place, listed } = await setUp();
    const all = Array.from({ length: 10 }, (_, n) => `k${n}-1`);
    failing.set("billing", new Set(all));
    await join("billing");
    await place(...all);
    const whole = (await listed()).map(({ id }) => id);
    const paged: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await listed({}, { limit: 3, ...(after !== undefined && { after }) });
      if (page.length === 0) break;
      paged.push(...page.map(({ id }) => id));
      after = page.at(-1)!.cursor;
    }
    expect([paged.length, paged]).toEqual([10, whole]);
  });

  test("has a letter that was stored twice in each page that has a copy, by one id", async () => {
    const { transport, failing, join, place, listed } = await setUp();
    failing.set("billing", new Set(["a-1", "a-2"]));
    await join("billing");
    await place("a-1", "a-2");
    for await (const { headers, body, key } of transport.read!({ destination: "orders.dlq" })) {
      await transport.publish([{ destination: "orders.dlq", headers: headers.entries(), body, key }]);
    }
    const [first, second] = await listed({}, { limit: 2 });
    const behind = await listed({}, { after: second!.cursor });
    expect(behind.map(({ id }) => id)).toEqual([first!.id, second!.id]);
  });

  test("shows one letter, whatever became of it", async () => {
    const { failing, join, place, listed, letters } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing");
    await place("a-1");
    const { id } = (await listed())[0]!;
    await letters.discard(id, { reason: "a test order" });
    expect(await letters.show(id)).toMatchObject({ id, status: "discarded", note: "a test order" });
    expect(await letters.show("none")).toBeUndefined();
  });
});

describe("an operator's decision", () => {
  test("parks, discards and restores what the filter means, and a redrive leaves it alone", async () => {
    const { clock, failing, handled, join, place, letters, ids } = await setUp();
    failing.set("billing", new Set(["a-1", "b-1", "c-1"]));
    await join("billing");
    await place("a-1", "b-1", "c-1");
    expect(await letters.park({ key: "a" }, { reason: "ask the customer" })).toBe(1);
    expect(await letters.discard({ key: "b" })).toBe(1);
    expect([await ids({ status: "parked" }), await ids({ status: "discarded" }), await ids()]).toEqual([
      ["a-1"],
      ["b-1"],
      ["c-1"],
    ]);
    failing.clear();
    expect(await letters.redrive()).toMatchObject({ matched: 1, redriven: 1 });
    expect(await letters.restore({})).toBe(2);
    expect(await letters.redrive()).toMatchObject({ matched: 2, redriven: 2 });
    await clock.advance(1_000);
    expect(handled.get("billing")!.sort()).toEqual(["a-1", "b-1", "c-1"]);
  });
});

describe("opening a queue", () => {
  test("refuses what is no bus, what keeps nothing, and a choice that nobody made", async () => {
    const memory = memoryTransport();
    const two = createEventBus({
      source: "/two",
      transports: { one: memory, two: memoryTransport() },
      routes: [
        { type: "a", to: "one" },
        { type: "**", to: "two" },
      ],
    });
    expect(await codeOf(createDeadLetterQueue({ bus: { publish: 1 }, destination: "orders" }))).toBe("invalid-option");
    expect(await codeOf(createDeadLetterQueue({ bus: two, destination: "orders" }))).toBe("invalid-option");
    expect(await codeOf(createDeadLetterQueue({ bus: two, destination: "orders", transport: "one" }))).toBe("no error");
    const plain = { ...memory, ensure: undefined } as unknown as ReturnType<typeof natsTransport>;
    const poor = createEventBus({ source: "/poor", transports: { plain } });
    expect(await codeOf(createDeadLetterQueue({ bus: poor, destination: "orders" }))).toBe("unsupported");
  });

  test("refuses filters, cursors and rates that cannot be", async () => {
    const { letters, listed } = await setUp();
    expect(await codeOf(listed({ since: "soon" }))).toBe("invalid-option");
    expect(await codeOf(listed({}, { after: "nowhere" }))).toBe("invalid-option");
    expect(await codeOf(letters.redrive({}, { rate: 0 }))).toBe("invalid-option");
    expect(await codeOf(letters.redrive({}, { concurrency: 0.5 }))).toBe("invalid-option");
  });
});
