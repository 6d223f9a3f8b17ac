import { describe, expect, test } from "vitest";
import type { ReadOptions, Transport } from "waybill";
import { type MemoryTransportOptions, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { consume, message } from "./sink.ts";

function setUp(options: MemoryTransportOptions = {}) {
  const clock = fakeClock();
  return { clock, transport: memoryTransport({ clock, partitions: 1, ...options }) };
}
const ack = { kind: "ack" } as const;
const numbered = (n: number) => Array.from({ length: n }, (_, i) => message(String(i)));

async function read(transport: Transport, options: Partial<ReadOptions> = {}) {
  const found: { position: string | undefined; body: string }[] = [];
  for await (const { position, body } of transport.read!({ destination: "orders", ...options })) {
    found.push({ position, body: new TextDecoder().decode(body!) });
  }
  return found;
}

async function stored(transport: Transport, options: Partial<ReadOptions> = {}): Promise<string[]> {
  return (await read(transport, options)).map(({ body }) => body);
}

describe("publish", () => {
  test("answers for each message where it stands", async () => {
    const { transport } = setUp({ partitions: 2, maxMessageBytes: 8 });
    const outcomes = await transport.publish([message("a"), message("too long a body"), message("b"), message("c")]);
    expect(outcomes).toMatchObject([
      { stored: true, at: { partition: 0, offset: 0 } },
      { stored: false, outcome: "failed", retrySafe: true, error: { code: "too-large", retryable: false } },
      { stored: true, at: { partition: 1, offset: 0 } },
      { stored: true, at: { partition: 0, offset: 1 } },
    ]);
  });
  test("counts headers in a message's size", async () => {
    const { transport } = setUp({ maxMessageBytes: 8 });
    const outcomes = await transport.publish([
      message("1234", { headers: ["ab", "cd"] }),
      message("1234", { headers: ["ab", "cde"] }),
    ]);
    expect(outcomes.map(({ stored }) => stored)).toEqual([true, false]);
  });
  test("finds what was sent before within the window, and not after it", async () => {
    const { clock, transport } = setUp({ partitions: 4, dedupWindowMs: 1000 });
    const one = [message("a", { dedupId: "1" })];
    const [first] = await transport.publish(one);
    await clock.advance(999);
    const [again] = await transport.publish(one);
    expect(again).toEqual({ stored: true, at: { ...(first as { at: object }).at, duplicate: true } });
    await transport.publish([message("b", { dedupId: "2" })]);
    await clock.advance(1);
    expect(await transport.publish(one)).not.toMatchObject([{ at: { duplicate: true } }]);
    expect(await transport.publish([message("b", { dedupId: "2" })])).toMatchObject([{ at: { duplicate: true } }]);
    expect((await stored(transport)).sort()).toEqual(["a", "a", "b"]);
  });
  test.each([{ partitions: 0 }, { partitions: 1.5 }, { maxMessages: 0 }])("%j is refused", (options) => {
    expect(() => memoryTransport(options)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

describe("a full partition", () => {
  test("refuses more while a group lags, and forgets the oldest once it does not", async () => {
    const { clock, transport } = setUp({ maxMessages: 3 });
    const { got } = await consume(transport, { group: "g" });
    await transport.publish(numbered(3));
    await clock.advance(0);
    const refused = {
      stored: false,
      outcome: "failed",
      retrySafe: true,
      error: { code: "buffer-full", retryable: true },
    };
    expect(await transport.publish([message("3")])).toMatchObject([refused]);
    expect(transport.post!(message("3"))).toBe(false);
    await got[1]!.settle(ack);
    expect(await transport.publish([message("3")])).toMatchObject([refused]);
    await got[0]!.settle(ack);
    expect(await transport.publish([message("3")])).toMatchObject([{ stored: true, at: { offset: 3 } }]);
    expect(await stored(transport)).toEqual(["1", "2", "3"]);
  });
  test("forgets the oldest when nobody needs it", async () => {
    const { transport } = setUp({ maxMessages: 3 });
    await transport.publish(numbered(5));
    expect(await stored(transport)).toEqual(["2", "3", "4"]);
  });
});

describe("read", () => {
  test("gives what is stored now and ends", async () => {
    const { transport } = setUp({ partitions: 2 });
    await transport.publish(numbered(4));
    expect(await stored(transport)).toEqual(["0", "2", "1", "3"]);
    expect(await stored(transport, { from: "1" })).toEqual(["2", "3"]);
    expect(await stored(transport, { from: "9" })).toEqual([]);
    expect(await stored(transport, { destination: "other" })).toEqual([]);
  });
  test("goes on from any position, in that partition and then in those behind it", async () => {
    const { transport } = setUp({ partitions: 3 });
    await transport.publish(numbered(9));
    const all = await read(transport);
    expect(all.map(({ position }) => position)).toEqual([0, 1, 2].flatMap((n) => [`${n}/0`, `${n}/1`, `${n}/2`]));
    for (const [n, { position }] of all.entries()) {
      expect(await read(transport, { from: position! })).toEqual(all.slice(n));
    }
    expect(await read(transport, { from: "7/0" })).toEqual([]);
  });
  test("takes wildcards, whose positions name the destination", async () => {
    const { transport } = setUp({ partitions: 2 });
    for (const destination of ["order.b", "order.a", "price", "order.b"]) {
      await transport.publish([message("x", { destination })]);
    }
    const all = await read(transport, { destination: "order.*" });
    expect(all.map(({ position }) => position)).toEqual(["order.b/0/0", "order.b/1/0", "order.a/1/0"]);
    for (const [n, { position }] of all.entries()) {
      expect(await read(transport, { destination: "order.*", from: position! })).toEqual(all.slice(n));
    }
  });
  test("leaves out what comes while it reads", async () => {
    const { transport } = setUp({ partitions: 2 });
    await transport.publish(numbered(2));
    const bodies: string[] = [];
    for await (const { body } of transport.read!({ destination: "orders" })) {
      bodies.push(new TextDecoder().decode(body!));
      await transport.publish(numbered(4));
    }
    expect(bodies).toEqual(["0", "1"]);
  });
  test.each(["x", "0/", "-1", "latest"])("does not begin at %j", async (from) => {
    await expect(read(setUp().transport, { from })).rejects.toMatchObject({ code: "invalid-option" });
  });
  test("stops at an abort", async () => {
    const { transport } = setUp();
    await transport.publish(numbered(2));
    const controller = new AbortController();
    const reading = transport.read!({ destination: "orders", signal: controller.signal })[Symbol.asyncIterator]();
    await reading.next();
    controller.abort();
    await expect(reading.next()).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("wildcards", () => {
  test.each([
    ["order.*", ["order.placed"]],
    ["order.>", ["order.placed", "order.item.added"]],
    ["*.item.*", ["order.item.added"]],
    [">", ["order", "order.placed", "order.item.added", "price"]],
    ["order", ["order"]],
  ])("%s gets %j, from their first message on", async (wanted, expected) => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport, { destinations: [wanted], from: "new" });
    for (const destination of ["order", "order.placed", "order.item.added", "price"]) {
      await transport.publish([message("x", { destination })]);
    }
    await clock.advance(0);
    expect(got.map((delivery) => delivery.message.destination).sort()).toEqual([...expected].sort());
  });
  test("reach a destination that another consumer made", async () => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport, { destinations: ["order.*"], from: "new", group: "a" });
    await consume(transport, { destinations: ["order.placed"], group: "b" });
    await transport.publish([message("x", { destination: "order.placed" })]);
    await clock.advance(0);
    expect(got).toHaveLength(1);
  });
  test("reach what was there before only from the earliest", async () => {
    const { clock, transport } = setUp();
    await transport.publish([message("x", { destination: "order.placed" })]);
    const late = await consume(transport, { destinations: ["order.*"], from: "new" });
    const early = await consume(transport, { destinations: ["order.*"], from: "earliest" });
    await clock.advance(0);
    expect([late.got.length, early.got.length]).toEqual([0, 1]);
  });
});

describe("request", () => {
  const ask = (transport: Transport, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
    transport.request!(message("ask"), { timeoutMs: 100, ...options });

  test("resolves with the answer and leaves nothing behind", async () => {
    const { clock, transport } = setUp();
    const all = await consume(transport, { destinations: [">"] });
    const { got } = await consume(transport, {
      group: "g",
    });
    const answer = ask(transport);
    await clock.advance(0);
    const { replyTo } = got[0]!.message;
    await transport.publish([message("answer", { destination: replyTo! })]);
    expect(new TextDecoder().decode((await answer).body!)).toBe("answer");
    await transport.publish([message("late", { destination: replyTo! })]);
    expect(await stored(transport, { destination: replyTo! })).toEqual([]);
    await clock.advance(0);
    expect(all.bodies()).toEqual(["ask"]);
    expect(clock.pending).toBe(0);
  });
  test("fails at once when nobody listens, and sends nothing", async () => {
    const { transport } = setUp();
    await expect(ask(transport)).rejects.toMatchObject({ code: "no-responders", retryable: true });
    const { subscription } = await consume(transport);
    await subscription.close();
    await expect(ask(transport)).rejects.toMatchObject({ code: "no-responders" });
    expect(await stored(transport)).toEqual([]);
  });
  test("gives up after its time", async () => {
    const { clock, transport } = setUp();
    await consume(transport);
    const failed = expect(ask(transport)).rejects.toMatchObject({ code: "timeout" });
    await clock.advance(100);
    await failed;
    expect(clock.pending).toBe(0);
  });
  test("gives up when aborted, and before it is sent when aborted already", async () => {
    const { clock, transport } = setUp();
    await consume(transport);
    const controller = new AbortController();
    const failed = expect(ask(transport, { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
    await clock.advance(0);
    controller.abort();
    await failed;
    await expect(ask(transport, { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
    expect(await stored(transport)).toEqual(["ask"]);
    expect(clock.pending).toBe(0);
  });
  test("fails when the transport closes", async () => {
    const { clock, transport } = setUp();
    await consume(transport);
    const failed = expect(ask(transport)).rejects.toMatchObject({ code: "closed" });
    await clock.advance(0);
    await transport.close();
    await failed;
    expect(clock.pending).toBe(0);
  });
});

describe("close", () => {
  test("says what was not settled, and ends deliveries, publishes and consumes", async () => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport, { group: "g" });
    await transport.publish(numbered(4));
    await clock.advance(0);
    await got[0]!.settle(ack);
    got[1]!.release();
    expect(await transport.close()).toEqual({ unsent: 0, unsettled: 2 });
    expect(got[2]!.signal.aborted).toBe(true);
    await expect(got[2]!.settle(ack)).rejects.toMatchObject({ code: "fenced" });
    expect(await transport.publish([message("x")])).toMatchObject([
      { stored: false, outcome: "failed", error: { code: "closed" } },
    ]);
    expect(() => transport.post!(message("x"))).toThrow(expect.objectContaining({ code: "closed" }));
    await expect(consume(transport)).rejects.toMatchObject({ code: "closed" });
    expect(transport.health()).toEqual({ state: "closed", buffered: 0, bufferedBytes: 0 });
    expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
  });
  test("of one subscription twice leaves the others of its group alone", async () => {
    const { clock, transport } = setUp({ partitions: 2 });
    const [first, second] = [await consume(transport, { group: "g" }), await consume(transport, { group: "g" })];
    await second.subscription.close();
    await second.subscription.close();
    await transport.publish(numbered(4));
    await clock.advance(0);
    expect(first.got).toHaveLength(4);
  });
});
