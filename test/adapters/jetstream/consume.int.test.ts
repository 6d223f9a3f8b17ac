import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transport } from "../../../core/transport.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { collectingSink, pause, until } from "../nats/sink.ts";
import { type JetStreamSetup, message, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

let count = 0;
/** A stream of its own with so many events, and a transport. */
async function withEvents(events: number, options = {}): Promise<{ name: string; transport: Transport }> {
  const name = `s${count++}`;
  await js.manager.streams.add({ name, subjects: [`${name}.>`] });
  const transport = await js.transport(options);
  await transport.publish(Array.from({ length: events }, (_, n) => message(`${name}.e`, String(n))));
  return { name, transport };
}

const earliest = (name: string, group: string | undefined = "g") => ({
  destinations: [`${name}.>`],
  group,
  from: "earliest",
});

/** The only consumer of a stream. */
async function consumerOf(stream: string) {
  const [found, ...others] = await js.manager.consumers.list(stream).next();
  expect(others).toEqual([]);
  return found!;
}

describe("a group on JetStream", () => {
  test("delivers against credit alone, in order, and settles at the server", async () => {
    const { name, transport } = await withEvents(20);
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    await pause(100);
    expect(sink.deliveries).toEqual([]);
    subscription.credit(5);
    await until(() => sink.deliveries.length === 5);
    await pause(100);
    expect(sink.bodies()).toEqual(["0", "1", "2", "3", "4"]);
    // Nothing lies in front of a member that gave no credit for it.
    expect((await consumerOf(name)).num_ack_pending).toBe(5);
    subscription.credit(1);
    await until(() => sink.deliveries.length === 6);
    await Promise.all(sink.deliveries.map((delivery) => delivery.settle({ kind: "ack" })));
    expect(await subscription.lag()).toEqual([{ lane: name, messages: 14 }]);
    const [first] = sink.deliveries;
    expect(first).toMatchObject({ attempt: 1, lane: name, position: "1" });
    expect(first!.message).toMatchObject({ destination: `${name}.e`, partition: undefined });
    expect(first!.message.replyTo).toBeUndefined();
    expect(Date.now() - first!.message.timestampMs!).toBeLessThan(60_000);
    const { config } = await consumerOf(name);
    expect(config).toMatchObject({ max_deliver: -1, ack_policy: "explicit", ack_wait: 30e9, max_ack_pending: 10_000 });
    expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
  });

  test("redelivers a retry after its delay with the next attempt, ends a reject, and shares with other members", async () => {
    const { name, transport } = await withEvents(2);
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    subscription.credit(10);
    await until(() => sink.deliveries.length === 2);
    const [retried, rejected] = sink.deliveries;
    await rejected!.settle({ kind: "reject", reason: "handler-failed" });
    const startedMs = performance.now();
    await retried!.settle({ kind: "retry", delayMs: 500 });
    // The first call counts.
    await retried!.settle({ kind: "ack" });
    await until(() => sink.deliveries.length === 3);
    expect(performance.now() - startedMs).toBeGreaterThan(450);
    expect(sink.deliveries[2]).toMatchObject({ attempt: 2, position: "1" });
    await sink.deliveries[2]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 4);
    expect(sink.deliveries[3]!.attempt).toBe(3);
    await sink.deliveries[3]!.settle({ kind: "ack" });
    expect(await consumerOf(name)).toMatchObject({ num_pending: 0, num_ack_pending: 0 });
    await transport.close();
  });

  test("gives back at close what no handler has seen, at once, and reports what was started", async () => {
    const { name, transport } = await withEvents(30);
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    subscription.pauseLane(name);
    subscription.credit(30);
    subscription.resumeLane(name);
    await until(() => sink.deliveries.length === 30);
    for (const delivery of sink.deliveries.slice(10)) delivery.release();
    for (const delivery of sink.deliveries.slice(0, 7)) void delivery.settle({ kind: "ack" });
    expect(await subscription.close()).toEqual({ unsent: 0, unsettled: 3 });
    const late = sink.deliveries[8]!;
    expect(late.signal.aborted).toBe(true);
    await expect(late.settle({ kind: "ack" })).rejects.toMatchObject({ code: "fenced" });
    const second = collectingSink();
    const next = await transport.consume(earliest(name), second);
    next.credit(30);
    // Long before the ack wait of 30 s.
    await until(() => second.deliveries.length === 20, 10_000);
    expect(second.bodies().sort()).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 10)).sort());
    await transport.close();
  });

  test("holds what comes while a lane is paused, and gives it back at close", async () => {
    const { name, transport } = await withEvents(10);
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    subscription.credit(4);
    subscription.pauseLane(name);
    await pause(300);
    expect(sink.deliveries).toEqual([]);
    expect(await subscription.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(await consumerOf(name)).toMatchObject({ num_pending: expect.any(Number) });
    const second = collectingSink();
    const next = await transport.consume(earliest(name), second);
    next.credit(10);
    await until(() => new Set(second.bodies()).size === 10, 10_000);
    await transport.close();
  });

  test("keeps what a living member works on, and gives a dead member's to another after the ack wait", async () => {
    const options = { ackWaitMs: 1_000 };
    const { name, transport } = await withEvents(3, options);
    const connection = await js.connect();
    const dying = await js.transport({ ...options, connection });
    const first = collectingSink();
    (await dying.consume(earliest(name), first)).credit(3);
    await until(() => first.deliveries.length === 3);
    const second = collectingSink();
    (await transport.consume(earliest(name), second)).credit(3);
    await pause(3_500);
    expect(second.deliveries).toEqual([]);
    await connection.close();
    await until(() => second.deliveries.length === 3);
    expect(second.deliveries.map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
    await transport.close();
  });

  test("confirms a verdict across a killed server, or says that the event may come again, and goes on", async () => {
    const { name, transport } = await withEvents(200, { heartbeatMs: 1_000, ackWaitMs: 5_000 });
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    subscription.credit(200);
    await until(() => sink.deliveries.length === 200);
    await js.server.kill();
    await until(() => transport.health().state === "disconnected");
    const settling = Promise.allSettled(sink.deliveries.map((delivery) => delivery.settle({ kind: "ack" })));
    await js.server.restart();
    const settled = await settling;
    const confirmed = new Set(sink.bodies().filter((_, n) => settled[n]!.status === "fulfilled"));
    for (const each of settled) if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "fenced" });
    await transport.publish([message(`${name}.e`, "after")]);
    subscription.credit(1_000);
    await until(() => sink.bodies().includes("after"));
    // What nobody confirmed may come again: in the end the group has nothing left, and no confirmed event came twice.
    for (let done = 200, behind = Number.POSITIVE_INFINITY; behind > 0; ) {
      const fresh = sink.deliveries.slice(done);
      done += fresh.length;
      await Promise.allSettled(fresh.map((delivery) => delivery.settle({ kind: "ack" })));
      await pause(50);
      behind = (await subscription.lag())[0]!.messages;
    }
    expect(
      sink
        .bodies()
        .slice(200)
        .filter((body) => confirmed.has(body)),
    ).toEqual([]);
    console.log(`killed: ${confirmed.size} of 200 verdicts confirmed, the rest came again`);
    await transport.close();
    for (let back = false; !back; ) {
      back = await js.manager.streams
        .names()
        .next()
        .then(
          () => true,
          () => false,
        );
    }
  });

  test.each(["halfOpen", "mute"] as const)("heals a socket that is %s within three heartbeats", async (how) => {
    const { name, transport: publisher } = await withEvents(1);
    await using proxy = await startTcpProxy(js.server.port);
    const heartbeatMs = 2_000;
    const transport = await js.transport({ connection: await js.connect(proxy.port), heartbeatMs });
    const sink = collectingSink();
    (await transport.consume(earliest(name), sink)).credit(10);
    await until(() => sink.deliveries.length === 1);
    const statuses: string[] = [];
    transport.onStatus(({ type }) => void statuses.push(type));
    proxy[how]();
    const startedMs = performance.now();
    proxy.heal();
    await until(() => statuses.includes("connected"));
    expect(statuses[0]).toBe("stale");
    expect(performance.now() - startedMs).toBeLessThan(3 * heartbeatMs);
    await publisher.publish([message(`${name}.e`, "after")]);
    await until(() => sink.bodies().includes("after"));
    await transport.close({ deadlineMs: 1_000 });
    await publisher.close();
  });

  test("renews a pull that the server forgot, and says so", async () => {
    const { name, transport } = await withEvents(1);
    const connection = await js.connect();
    // Swallows the first pull, as a server does that loses its leader.
    let swallow = true;
    const lossy = new Proxy(connection, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key !== "publish") return value.bind(target);
        return (subject: string, ...rest: unknown[]) => {
          if (swallow && subject.includes("CONSUMER.MSG.NEXT")) swallow = false;
          else Reflect.apply(value, target, [subject, ...rest]);
        };
      },
    });
    const consumer = await js.transport({ connection: lossy, heartbeatMs: 400 });
    const sink = collectingSink();
    (await consumer.consume(earliest(name), sink)).credit(10);
    await until(() => sink.deliveries.length === 1, 10_000);
    expect(sink.errors).toMatchObject([{ code: "timeout", retryable: true }]);
    await consumer.close();
    await transport.close();
  });

  test("makes a deleted durable anew, tells it, and begins where the group did", async () => {
    const { name, transport } = await withEvents(3);
    const sink = collectingSink();
    const subscription = await transport.consume(earliest(name), sink);
    subscription.credit(10);
    await until(() => sink.deliveries.length === 3);
    await js.manager.consumers.delete(name, (await consumerOf(name)).name);
    await until(() => sink.deliveries.length === 6);
    expect(sink.errors[0]).toMatchObject({ code: "transport-failed", retryable: true });
    expect(sink.errors[0]!.message).toMatch(/Consumer Deleted/i);
    await transport.close();
  });

  test("verifies a durable that exists, and changes nothing", async () => {
    const { name, transport } = await withEvents(1);
    await transport.consume(earliest(name), collectingSink());
    const other = await js.transport({ ackWaitMs: 5_000 });
    await expect(other.consume(earliest(name), collectingSink())).rejects.toMatchObject({
      code: "configuration-mismatch",
      message: expect.stringMatching(/ack_wait 30000000000, wanted is 5000000000/),
    });
    expect((await consumerOf(name)).config.ack_wait).toBe(30e9);
    const named = await js.transport({ durableName: () => "mine" });
    await named.consume({ destinations: [`${name}.e`], group: "h", from: "earliest" }, collectingSink());
    expect((await js.manager.consumers.info(name, "mine")).config.filter_subject).toBe(`${name}.e`);
    await expect(
      named.consume({ destinations: [`${name}.f`], group: "h", from: "earliest" }, collectingSink()),
    ).rejects.toMatchObject({ code: "configuration-mismatch", message: expect.stringContaining("filter_subjects") });
    for (const each of [transport, other, named]) await each.close();
  });

  test("takes groups of any name, and destinations of several streams", async () => {
    const one = await withEvents(2);
    const two = await withEvents(2);
    const sink = collectingSink();
    const destinations = [`${one.name}.e`, `${one.name}.>`, `${two.name}.*`];
    const group = "billing team/ä.*>";
    const subscription = await one.transport.consume({ destinations, group, from: "earliest" }, sink);
    subscription.credit(10);
    await until(() => sink.deliveries.length === 4);
    expect(new Set(sink.deliveries.map(({ lane }) => lane))).toEqual(new Set([one.name, two.name]));
    expect((await consumerOf(one.name)).name).toMatch(/^billing_team_____-[a-z0-9]+$/);
    for (const { transport } of [one, two]) await transport.close();
  });

  test("refuses what no stream has, and what is no destination or start", async () => {
    const { name, transport } = await withEvents(1);
    const refused = (destinations: string[], from: string) =>
      expect(transport.consume({ destinations, group: "g", from }, collectingSink())).rejects;
    await refused(["nobody.>"], "earliest").toMatchObject({ code: "invalid-destination", retryable: true });
    await refused(["a b"], "earliest").toMatchObject({ code: "invalid-destination", retryable: false });
    await refused([`${name}.>`], "yesterday").toMatchObject({ code: "invalid-option" });
    await transport.close();
  });
});

describe("where a subscription begins", () => {
  test("new, earliest, a sequence, a time; without a group each gets all and leaves nothing behind", async () => {
    const { name, transport } = await withEvents(5);
    await pause(20);
    const time = new Date().toISOString();
    await pause(20);
    await transport.publish([message(`${name}.e`, "5")]);
    const sinks = await Promise.all(
      ["new", "earliest", "3", time].map(async (from) => {
        const sink = collectingSink();
        (await transport.consume({ destinations: [`${name}.>`], from }, sink)).credit(100);
        return sink;
      }),
    );
    await transport.publish([message(`${name}.e`, "6")]);
    await until(() => sinks.every((sink) => sink.bodies().at(-1) === "6"));
    expect(sinks.map((sink) => sink.bodies().join(""))).toEqual(["6", "0123456", "23456", "56"]);
    await transport.close();
    await pause(200);
    expect((await js.manager.streams.info(name)).state.consumer_count).toBe(0);
  });

  test("a consumer without a group that is lost is made anew at the first event without a verdict", async () => {
    const { name, transport } = await withEvents(5);
    const sink = collectingSink();
    (await transport.consume({ destinations: [`${name}.>`], from: "earliest" }, sink)).credit(100);
    await until(() => sink.deliveries.length === 5);
    for (const n of [0, 1, 3]) await sink.deliveries[n]!.settle({ kind: "ack" });
    await js.manager.consumers.delete(name, (await consumerOf(name)).name);
    await until(() => sink.deliveries.length === 8);
    expect(sink.bodies().slice(5)).toEqual(["2", "3", "4"]);
    await transport.close();
  });
});
