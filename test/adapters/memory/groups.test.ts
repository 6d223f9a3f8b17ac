import { describe, expect, test } from "vitest";
import { type MemoryTransportOptions, memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { consume, message, text } from "./sink.ts";

function setUp(options: MemoryTransportOptions = {}) {
  const clock = fakeClock();
  return { clock, transport: memoryTransport({ clock, partitions: 4, ...options }) };
}
const ack = { kind: "ack" } as const;
const fenced = expect.objectContaining({ code: "fenced" });
const numbered = (n: number) => Array.from({ length: n }, (_, i) => message(String(i)));

describe("groups", () => {
  test("each message reaches one member of each group and every consumer without group", async () => {
    const { clock, transport } = setUp();
    const members = [await consume(transport, { group: "a" }), await consume(transport, { group: "a" })];
    const others = [await consume(transport, { group: "b" }), await consume(transport), await consume(transport)];
    await transport.publish(numbered(40));
    await clock.advance(0);
    const all = numbered(40)
      .map(({ body }) => body)
      .sort();
    expect(members.flatMap((member) => member.bodies()).sort()).toEqual(all);
    for (const member of members) expect(member.got.length).toBeGreaterThan(0);
    for (const other of others) expect(other.bodies().sort()).toEqual(all);
  });
  test("a key stays in its partition and in order", async () => {
    const { clock, transport } = setUp();
    const { got } = await consume(transport, { group: "g" });
    const messages = Array.from({ length: 60 }, (_, i) =>
      message(`${i % 6}:${String(i).padStart(2, "0")}`, { key: `k${i % 6}` }),
    );
    await transport.publish(messages);
    await clock.advance(0);
    for (let key = 0; key < 6; key++) {
      const own = got.filter((delivery) => delivery.message.key === `k${key}`);
      expect(new Set(own.map(({ lane }) => lane)).size).toBe(1);
      expect(own.map(text)).toEqual(own.map(text).sort());
      expect(own).toHaveLength(10);
    }
  });
  test("a member that joins takes partitions over once they are drained", async () => {
    const { clock, transport } = setUp({ partitions: 2 });
    let drained = (): void => undefined;
    const first = await consume(
      transport,
      { group: "g" },
      { onRevoke: () => new Promise((resolve) => (drained = resolve)) },
    );
    await transport.publish(numbered(2));
    await clock.advance(0);
    const joining = consume(transport, { group: "g" });
    await clock.advance(0);
    const [lane] = first.revoked;
    const moved = first.got.find((delivery) => delivery.lane === lane)!;
    await moved.settle(ack); // counts: the lane is draining and not fenced yet
    expect(moved.signal.aborted).toBe(false);
    await transport.publish(numbered(2)); // one for each lane: the draining one gets no more
    await clock.advance(0);
    drained();
    const second = await joining;
    expect(moved.signal.aborted).toBe(true);
    await transport.publish(numbered(2));
    await clock.advance(0);
    expect(first.got.filter((delivery) => delivery.lane === lane)).toEqual([moved]);
    expect(second.got.map(({ lane, position }) => [lane, position])).toEqual([
      [moved.lane, "1"],
      [moved.lane, "2"],
    ]);
    expect(clock.pending).toBe(0);
  });
  test("what is not settled in time is fenced and comes to the new owner again", async () => {
    const { clock, transport } = setUp({ partitions: 2 });
    const first = await consume(transport, { group: "g" }, { onRevoke: () => new Promise(() => undefined) });
    await transport.publish(numbered(2));
    await clock.advance(0);
    const joining = consume(transport, { group: "g" });
    await clock.advance(9_999);
    const moved = first.got.find((delivery) => delivery.lane === first.revoked[0])!;
    expect(moved.signal.aborted).toBe(false);
    await clock.advance(1);
    const second = await joining;
    await clock.advance(0);
    await expect(moved.settle(ack)).rejects.toEqual(fenced);
    expect(second.got.map(({ position, attempt }) => [position, attempt])).toEqual([[moved.position, 1]]);
    await second.got[0]!.settle(ack);
  });
  test("a member that leaves gives its partitions to the others, its unsettled messages included", async () => {
    const { clock, transport } = setUp({ partitions: 2 });
    const [first, second] = [await consume(transport, { group: "g" }), await consume(transport, { group: "g" })];
    await transport.publish(numbered(4));
    await clock.advance(0);
    await first.got[0]!.settle(ack);
    expect(await first.subscription.close()).toEqual({ unsent: 0, unsettled: 1 });
    await clock.advance(0);
    expect(second.bodies().sort()).toEqual(["1", "2", "3"]);
    await expect(first.got[1]!.settle(ack)).rejects.toEqual(fenced);
    expect(await first.subscription.close()).toEqual({ unsent: 0, unsettled: 0 });
    await transport.publish(numbered(2));
    await clock.advance(0);
    expect(second.got).toHaveLength(5);
  });
});

describe("where a consumer begins", () => {
  test.each([
    ["earliest", ["0", "1", "2", "3"]],
    ["new", ["3"]],
    ["1", ["1", "2", "3"]],
    ["99", ["3"]],
  ])("%s", async (from, expected) => {
    const { clock, transport } = setUp({ partitions: 1 });
    await transport.publish(numbered(3));
    const { bodies } = await consume(transport, { from });
    await transport.publish([message("3")]);
    await clock.advance(0);
    expect(bodies()).toEqual(expected);
  });
  test("a group goes on where it stopped, wherever it is told to begin", async () => {
    const { clock, transport } = setUp({ partitions: 1 });
    const first = await consume(transport, { group: "g" });
    await transport.publish(numbered(4));
    await clock.advance(0);
    for (const i of [0, 1, 3]) await first.got[i]!.settle(ack);
    await first.subscription.close();
    const second = await consume(transport, { group: "g", from: "new" });
    await clock.advance(0);
    expect(second.bodies()).toEqual(["2", "3"]);
  });
  test.each(["", "later", "-1", "1.5"])("%j is refused, and the group stays usable", async (from) => {
    const { clock, transport } = setUp();
    await expect(consume(transport, { group: "g", from })).rejects.toMatchObject({ code: "invalid-option" });
    const { got } = await consume(transport, { group: "g" });
    await transport.publish(numbered(3));
    await clock.advance(0);
    expect(got).toHaveLength(3);
  });
});

test("an attempt to settle after close changes nothing for the next member", async () => {
  const { clock, transport } = setUp({ partitions: 1 });
  const first = await consume(transport, { group: "g" });
  await transport.publish(numbered(1));
  await clock.advance(0);
  await first.got[0]!.settle({ kind: "retry", delayMs: 100 });
  await first.subscription.close();
  expect(clock.pending).toBe(0);
  const second = await consume(transport, { group: "g" });
  await clock.advance(1000);
  expect([second.got.length, first.got.length]).toEqual([1, 1]);
  await second.got[0]!.settle(ack);
});
