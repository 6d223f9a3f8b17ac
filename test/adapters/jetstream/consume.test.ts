import { describe, expect, test } from "vitest";
import type { ConsumeSource } from "waybill";
import { type JetStreamTransportOptions, jetstreamTransport } from "waybill/jetstream";
import { fakeClock } from "waybill/testing";
import { type CollectingSink, collectingSink } from "../nats/sink.ts";
import { FakeClient, FakeJetStream } from "./fake-jetstream.ts";

const ack = { kind: "ack" } as const;
const ackWaitMs = 6_000;

function setUp() {
  const clock = fakeClock();
  const server = new FakeJetStream(clock);
  async function join(source: Partial<ConsumeSource> = {}, options: Partial<JetStreamTransportOptions> = {}) {
    const client = new FakeClient(server);
    const transport = jetstreamTransport({ connection: client, clock, ackWaitMs, ...options });
    const sink: CollectingSink = collectingSink();
    const opening = transport.consume({ destinations: ["a"], group: "g", from: "earliest", ...source }, sink);
    const subscription = await opening;
    return { client, transport, sink, subscription };
  }
  return { clock, server, join };
}

/** Attempts by body, in the order of delivery. */
const attempts = ({ deliveries }: CollectingSink): string[] =>
  deliveries.map(({ message, attempt }) => `${new TextDecoder().decode(message.body!)}:${attempt}`);

describe("a JetStream subscription, over a fake server", () => {
  test("asks for no more than it has credit for", async () => {
    const { clock, server, join } = setUp();
    server.store("a", "1", "2", "3", "4", "5");
    const { sink, subscription } = await join();
    await clock.advance(0);
    expect(sink.bodies()).toEqual([]);
    subscription.credit(2);
    await clock.advance(0);
    expect([sink.bodies(), server.consumer.pulls.length]).toEqual([["1", "2"], 0]);
    subscription.credit(1);
    await clock.advance(0);
    expect(sink.bodies()).toEqual(["1", "2", "3"]);
  });

  test("keeps what it works on, however long that takes", async () => {
    const { clock, server, join } = setUp();
    const [working, other] = [await join(), await join()];
    working.subscription.credit(1);
    server.store("a", "1");
    await clock.advance(0);
    other.subscription.credit(1);
    await clock.advance(10 * ackWaitMs);
    expect([attempts(working.sink), attempts(other.sink)]).toEqual([["1:1"], []]);
    const settled = working.sink.deliveries[0]!.settle(ack);
    await clock.advance(0);
    await settled;
    await clock.advance(10 * ackWaitMs);
    expect(attempts(other.sink)).toEqual([]);
  });

  test("what a dead member had comes to another after the ack wait", async () => {
    const { clock, server, join } = setUp();
    const [dying, other] = [await join(), await join()];
    dying.subscription.credit(1);
    server.store("a", "1");
    await clock.advance(0);
    dying.client.die();
    other.subscription.credit(1);
    await clock.advance(ackWaitMs - 1);
    expect(attempts(other.sink)).toEqual([]);
    await clock.advance(1);
    expect([attempts(dying.sink), attempts(other.sink)]).toEqual([["1:1"], ["1:2"]]);
  });

  test("what is to be repeated comes after its delay, with the next attempt", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join();
    subscription.credit(5);
    server.store("a", "1", "2");
    await clock.advance(0);
    void sink.deliveries[0]!.settle({ kind: "retry", delayMs: 500 });
    await clock.advance(499);
    expect(attempts(sink)).toEqual(["1:1", "2:1"]);
    await clock.advance(1);
    expect(attempts(sink)).toEqual(["1:1", "2:1", "1:2"]);
  });

  test("a delivery has one verdict", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join();
    subscription.credit(5);
    server.store("a", "1");
    await clock.advance(0);
    const [first] = sink.deliveries;
    void first!.settle(ack);
    void first!.settle({ kind: "retry", delayMs: 0 });
    first!.release();
    first!.extend();
    await clock.advance(10);
    expect(server.consumer.verdicts).toEqual(["1 +ACK"]);
  });
});

test("a rejection tells the server that it is one of ours", async () => {
  const { clock, server, join } = setUp();
  const { sink, subscription } = await join();
  subscription.credit(1);
  server.store("a", "1");
  await clock.advance(0);
  void sink.deliveries[0]!.settle({ kind: "reject", reason: "handler-failed" });
  await clock.advance(10);
  expect(server.consumer.verdicts).toEqual(["1 +TERM waybill: handler-failed"]);
});

describe("a settlement", () => {
  test("is confirmed by the server, and sent again until it is", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join();
    subscription.credit(5);
    server.store("a", "1", "2");
    await clock.advance(0);
    server.consumer.loses = 2;
    let confirmed = 0;
    for (const delivery of sink.deliveries) void delivery.settle(ack).then(() => confirmed++);
    await clock.advance(100);
    expect([confirmed, server.consumer.verdicts]).toEqual([0, []]);
    await clock.advance(5_000);
    expect(confirmed).toBe(2);
    expect(server.consumer.verdicts.filter((verdict) => verdict.endsWith("+ACK"))).toEqual(["1 +ACK", "2 +ACK"]);
  });

  test("is void after a close, which reports what it left", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join();
    subscription.credit(5);
    server.store("a", "1", "2", "3");
    await clock.advance(0);
    server.consumer.loses = Number.POSITIVE_INFINITY;
    const lost = sink.deliveries[0]!.settle(ack);
    const closing = subscription.close({ deadlineMs: 100 });
    await clock.advance(100);
    expect(await closing).toEqual({ unsent: 0, unsettled: 3 });
    await expect(lost).rejects.toMatchObject({ code: "fenced" });
    expect(sink.deliveries[1]!.signal.aborted).toBe(true);
    await expect(sink.deliveries[1]!.settle(ack)).rejects.toMatchObject({ code: "fenced" });
  });

  test("is waited for at close", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join();
    subscription.credit(5);
    server.store("a", "1");
    await clock.advance(0);
    server.consumer.loses = 1;
    void sink.deliveries[0]!.settle(ack);
    const closing = subscription.close({ deadlineMs: 10_000 });
    await clock.advance(5_000);
    expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
    expect(server.consumer.verdicts).toEqual(["1 +ACK"]);
  });
});

test("a close gives back at once what nobody has seen", async () => {
  const { clock, server, join } = setUp();
  const [leaving, other] = [await join(), await join()];
  leaving.subscription.credit(3);
  await clock.advance(0);
  leaving.subscription.pauseLane("S");
  server.store("a", "1", "2", "3");
  await clock.advance(0);
  other.subscription.credit(3);
  await clock.advance(0);
  const closing = leaving.subscription.close();
  await clock.advance(0);
  expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
  await clock.advance(1);
  expect([attempts(leaving.sink), attempts(other.sink)]).toEqual([[], ["1:2", "2:2", "3:2"]]);
});

test("of a partition one event is unfinished at a time, whichever member has it", async () => {
  const { clock, server, join } = setUp();
  const streams = [{ name: "S", subjects: ["a"], partitions: 1 }];
  const members = [await join({}, { streams }), await join({}, { streams })];
  for (const { subscription } of members) subscription.credit(10);
  server.store("p.0.a", "1", "2");
  await clock.advance(0);
  const got = (): string[] => members.flatMap(({ sink }) => attempts(sink));
  expect(got()).toEqual(["1:1"]);
  void members.flatMap(({ sink }) => sink.deliveries)[0]!.settle(ack);
  await clock.advance(0);
  expect(got().sort()).toEqual(["1:1", "2:1"]);
});

test("partitions share the credit: what one asked for in vain waits for more", async () => {
  const { clock, server, join } = setUp();
  const { sink, subscription } = await join({}, { streams: [{ name: "S", subjects: ["a"], partitions: 2 }] });
  subscription.credit(1);
  server.store("p.0.a", "1");
  server.store("p.1.a", "2");
  await clock.advance(0);
  expect(sink.bodies()).toHaveLength(1);
  subscription.credit(1);
  await clock.advance(0);
  expect(sink.bodies().sort()).toEqual(["1", "2"]);
});

describe("a watch over the server", () => {
  test("renews a pull that the server forgot within three heartbeats, and says so", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join({}, { heartbeatMs: 1_000 });
    subscription.credit(5);
    await clock.advance(60_000);
    expect(sink.errors).toEqual([]);
    server.forgetPulls();
    server.store("a", "1");
    await clock.advance(3_000);
    expect(sink.bodies()).toEqual(["1"]);
    expect(sink.errors.map(({ code }) => code)).toEqual(["timeout"]);
  });

  test("makes a consumer without a group anew at its first event without a verdict", async () => {
    const { clock, server, join } = setUp();
    const { sink, subscription } = await join({ group: undefined });
    subscription.credit(3);
    server.store("a", "1", "2", "3");
    await clock.advance(0);
    void sink.deliveries[0]!.settle(ack);
    await clock.advance(0);
    subscription.credit(5);
    await clock.advance(0);
    server.deleteConsumer();
    await clock.advance(1_000);
    expect(sink.bodies()).toEqual(["1", "2", "3", "2", "3"]);
  });
});
