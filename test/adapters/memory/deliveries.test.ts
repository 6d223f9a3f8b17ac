import { describe, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { type MemoryTransportOptions, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { consume, message, text } from "./sink.ts";

function setUp(options: MemoryTransportOptions = {}) {
  const clock = fakeClock();
  return { clock, transport: memoryTransport({ clock, partitions: 4, ...options }) };
}
const numbered = (n: number) => Array.from({ length: n }, (_, i) => message(String(i)));

describe("deliveries", () => {
  test("come against credit only", async () => {
    const { clock, transport } = setUp();
    const { got, subscription } = await consume(transport, {}, { credit: 0 });
    await transport.publish(numbered(10));
    const counts: number[] = [];
    for (const credit of [0, 3, 2]) {
      subscription.credit(credit);
      await clock.advance(0);
      counts.push(got.length);
    }
    expect(counts).toEqual([0, 3, 5]);
  });
  test("take the partitions in turn", async () => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport, {}, { credit: 4 });
    await transport.publish(numbered(40));
    await clock.advance(0);
    expect(new Set(got.map(({ lane }) => lane)).size).toBe(4);
  });
  test("never happen inside the call that causes them", async () => {
    const { transport } = setUp();
    const { got } = await consume(transport);
    transport.post!(message("x"));
    expect(got).toHaveLength(0);
  });
  test("come again after the delay of a retry, with the next attempt", async () => {
    const { clock, transport } = setUp({ partitions: 1 });
    const { got } = await consume(transport);
    await transport.publish(numbered(2));
    await clock.advance(0);
    await got[0]!.settle({ kind: "retry", delayMs: 500 });
    await clock.advance(499);
    expect(got).toHaveLength(2);
    await clock.advance(1);
    expect(got).toHaveLength(3);
    expect([got[2]!.position, got[2]!.attempt, text(got[2]!)]).toEqual(["0", 2, "0"]);
    await got[2]!.settle({ kind: "retry", delayMs: 0 });
    await clock.advance(0);
    expect(got[3]!.attempt).toBe(3);
  });
  test("come again at once when released, with the same attempt, before what is behind", async () => {
    const { clock, transport } = setUp({ partitions: 1 });
    const { got, subscription } = await consume(transport, {}, { credit: 2 });
    await transport.publish(numbered(3));
    await clock.advance(0);
    got[1]!.release();
    got[0]!.release();
    got[0]!.release();
    subscription.credit(3);
    await clock.advance(0);
    expect(got.map((delivery) => [text(delivery), delivery.attempt])).toEqual([
      ["0", 1],
      ["1", 1],
      ["0", 1],
      ["1", 1],
      ["2", 1],
    ]);
  });
  test("are over with the first verdict", async () => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport);
    await transport.publish([message("x")]);
    await clock.advance(0);
    await got[0]!.settle({ kind: "reject", reason: "bad" });
    await got[0]!.settle({ kind: "retry", delayMs: 0 });
    got[0]!.release();
    await clock.advance(1000);
    expect([got.length, clock.pending]).toEqual([1, 0]);
  });
  test("of a paused lane wait until it is resumed", async () => {
    const { clock, transport } = setUp({ partitions: 2 });
    const { got, subscription } = await consume(transport);
    subscription.pauseLane("orders/0");
    await transport.publish(numbered(4));
    await clock.advance(0);
    expect(new Set(got.map(({ lane }) => lane))).toEqual(new Set(["orders/1"]));
    expect(await subscription.lag()).toEqual([
      { lane: "orders/0", messages: 2 },
      { lane: "orders/1", messages: 0 },
    ]);
    subscription.resumeLane("orders/0");
    await clock.advance(0);
    expect(got).toHaveLength(4);
  });
  test("have headers in their order, repeated, found in any case, and a body of their own", async () => {
    const { clock, transport } = setUp();
    const body = new Uint8Array([1]);
    const { got } = await consume(transport);
    const other = await consume(transport);
    await transport.publish([
      { ...message(""), body, headers: ["A", "1", "b", new TextEncoder().encode("é"), "a", "2"] },
    ]);
    body[0] = 9;
    await clock.advance(0);
    const { headers } = got[0]!.message;
    expect([headers.get("a"), headers.getAll("A"), headers.get("B"), headers.get("c")]).toEqual([
      "1",
      ["1", "2"],
      "é",
      undefined,
    ]);
    headers.set("a", "3");
    expect([headers.getAll("A"), other.got[0]!.message.headers.getAll("A")]).toEqual([["3"], ["1", "2"]]);
    expect(got[0]!.message.body).toEqual(new Uint8Array([1]));
  });
});

describe("the order of a key", () => {
  test("holds when handlers fail, through the bus", async () => {
    const { clock, transport } = setUp();
    const bus = createEventBus({ source: "/t", transports: { memory: transport }, clock });
    bus.onError(() => undefined);
    const seen: Record<string, number[]> = {};
    let calls = 0;
    const handler = ({ data }: { data: unknown }): void => {
      const { key, n } = data as { key: string; n: number };
      if (calls++ % 3 === 0) throw new Error("every third call fails");
      seen[key] = [...(seen[key] ?? []), n];
    };
    await bus.subscribe("t", handler, { group: "g", concurrency: 8 });
    for (let n = 0; n < 60; n++) await bus.publish("t", { key: `k${n % 7}`, n }, { key: `k${n % 7}` });
    await clock.advance(120_000);
    expect(Object.values(seen).flat()).toHaveLength(60);
    for (const order of Object.values(seen)) expect(order).toEqual([...order].sort((a, b) => a - b));
  });
});
