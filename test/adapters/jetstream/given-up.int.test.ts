import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jetstreamTransport } from "../../../adapters/jetstream/index.ts";
import type { Transport } from "../../../core/transport.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { tcpClient } from "../nats/clients.ts";
import { type CollectingSink, collectingSink, pause, until } from "../nats/sink.ts";
import { type JetStreamSetup, message, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

const ack = { kind: "ack" } as const;
const ackWaitMs = 1_000;
let count = 0;

/** A stream whose group has a consumer that gives up after two deliveries, as an operator set it. */
async function setUp(stream: object = {}, caught = true) {
  const name = `g${count++}`;
  const destination = `${name}.e`;
  await js.manager.streams.add({ name, subjects: [`${name}.*`], ...stream });
  const transport = await js.transport({ ackWaitMs, durableName: (group) => group });
  if (caught) await transport.ensure!({ role: "dead-letter", source: destination });
  const consumer = {
    durable_name: "g",
    filter_subject: destination,
    ack_policy: "explicit",
    ack_wait: ackWaitMs * 1e6,
  };
  await js.manager.consumers.add(name, { ...consumer, max_deliver: 2, max_ack_pending: 10_000 } as never);
  return { name, destination, transport };
}

async function join(transport: Transport, destination: string, credit = 10): Promise<CollectingSink> {
  const sink = collectingSink();
  (await transport.consume({ destinations: [destination], group: "g", from: "earliest" }, sink)).credit(credit);
  return sink;
}

/** Waits until so many advisories are there that nobody has dealt with. */
async function left(name: string, expected: number): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  for (let found = -1; found !== expected; await pause(20)) {
    // The manager does not wait out a server that was killed.
    found = await js.manager.streams.info(`${name}_GIVEN_UP`).then(
      ({ state }) => state.messages,
      () => -1,
    );
    if (Date.now() > deadlineMs) expect(found).toBe(expected);
  }
}

/** A member in a process of its own gets everything, and is killed. */
async function die(destination: string, expected: number): Promise<string[]> {
  const script = fileURLToPath(new URL("given-up-member.ts", import.meta.url));
  const args = ["--import", "tsx", script, String(js.server.port), destination, "g"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (lines.length === expected) break;
  }
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  // In which order they come again is nobody's promise.
  return lines.sort();
}

describe("what the server gives up", () => {
  test("after members were killed over it comes once, as it was, though nobody lived at that moment", async () => {
    const { name, destination, transport } = await setUp();
    await transport.publish([message(destination, "1", { key: "k" }), message(destination, "2")]);
    const durable = await transport.consume(
      { destinations: [destination], group: "g", from: "earliest" },
      collectingSink(),
    );
    await durable.close();
    expect(await die(destination, 2)).toEqual(["1 1 ", "2 1 "]);
    expect(await die(destination, 2)).toEqual(["1 2 ", "2 2 "]);
    await left(name, 2);
    const [one, two] = [await join(transport, destination), await join(transport, destination)];
    await until(() => one.deliveries.length + two.deliveries.length === 2);
    const all = [...one.deliveries, ...two.deliveries].sort((a, b) => (a.position < b.position ? -1 : 1));
    expect(all).toMatchObject([
      { position: "1", attempt: 2, lane: name, givenUp: "max-deliveries" },
      { position: "2", attempt: 2, lane: name, givenUp: "max-deliveries" },
    ]);
    expect(all.map(({ message: { body } }) => new TextDecoder().decode(body!))).toEqual(["1", "2"]);
    expect(all[0]!.message.key).toBe("k");
    expect(Date.now() - all[0]!.message.timestampMs!).toBeLessThan(120_000);
    for (const each of all) await each.settle(ack);
    await pause(3 * ackWaitMs);
    expect([one.deliveries.length + two.deliveries.length, one.errors, two.errors]).toEqual([2, [], []]);
    await left(name, 0);
    // It is where it was: only a work queue forgets it.
    expect((await js.manager.streams.info(name)).state.messages).toBe(2);
    await transport.close();
  });

  test("is kept until it is settled: a retry, a release and a death bring it again", async () => {
    const { name, destination, transport } = await setUp();
    const sink = await join(transport, destination);
    await transport.publish([message(destination, "1")]);
    await until(() => sink.deliveries.length === 1);
    await sink.deliveries[0]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 2);
    await sink.deliveries[1]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 3);
    expect(sink.deliveries.map(({ attempt, givenUp }) => [attempt, givenUp])).toEqual([
      [1, undefined],
      [2, undefined],
      [2, "max-deliveries"],
    ]);
    await sink.deliveries[2]!.settle({ kind: "retry", delayMs: 300 });
    await until(() => sink.deliveries.length === 4);
    sink.deliveries[3]!.release();
    await until(() => sink.deliveries.length === 5);
    await transport.close({ deadlineMs: 0 });
    const next = await js.transport({ ackWaitMs, durableName: (group) => group });
    const other = await join(next, destination);
    await until(() => other.deliveries.length === 1);
    expect(other.deliveries[0]).toMatchObject({ position: "1", attempt: 2, givenUp: "max-deliveries" });
    await other.deliveries[0]!.settle({ kind: "reject", reason: "dead" });
    await left(name, 0);
    await next.close();
  });

  test("because somebody terminated it comes; what was rejected here does not", async () => {
    const { name, destination, transport } = await setUp();
    await transport.publish([message(destination, "1"), message(destination, "2")]);
    const taking = await js.connect();
    const taken: string[] = [];
    taking.subscribe("taken", { callback: (_, { reply }) => void taken.push(reply!) });
    taking.publish(`$JS.API.CONSUMER.MSG.NEXT.${name}.g`, new TextEncoder().encode("1"), { reply: "taken" });
    await until(() => taken.length === 1);
    taking.publish(taken[0]!, new TextEncoder().encode("+TERM poison"));
    const sink = await join(transport, destination, 50);
    await until(() => sink.deliveries.length === 2);
    const [rejected, terminated] = [...sink.deliveries].sort((a, b) => (a.position > b.position ? -1 : 1));
    expect(terminated).toMatchObject({ position: "1", attempt: 1, givenUp: "terminated" });
    expect([rejected!.position, rejected!.attempt, rejected!.givenUp]).toEqual(["2", 1, undefined]);
    await rejected!.settle({ kind: "reject", reason: "handler-failed" });
    await terminated!.settle(ack);
    await left(name, 0);
    await transport.publish(Array.from({ length: 9 }, (_, n) => message(destination, `more ${n}`)));
    await until(() => sink.deliveries.length === 11);
    for (const each of sink.deliveries.slice(2)) await each.settle({ kind: "reject", reason: "again" });
    await pause(300);
    await left(name, 0);
    expect([sink.deliveries.length, sink.errors]).toEqual([11, []]);
    await transport.close();
  });

  test("leaves a work queue once it is settled, and what left it before is told", async () => {
    const { name, destination, transport } = await setUp({ retention: "workqueue" });
    await transport.publish([message(destination, "1"), message(destination, "2")]);
    const sink = await join(transport, destination);
    await until(() => sink.deliveries.length === 2);
    for (const n of [0, 1]) await sink.deliveries[n]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 4);
    await js.manager.streams.deleteMessage(name, 2);
    for (const n of [2, 3]) await sink.deliveries[n]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 5 && sink.errors.length === 1);
    expect(sink.deliveries[4]).toMatchObject({ position: "1", givenUp: "max-deliveries" });
    expect(sink.errors[0]!.message).toMatch(/2, given up by the server \(terminated: .*deleted\), is lost/);
    await sink.deliveries[4]!.settle(ack);
    expect((await js.manager.streams.info(name)).state.messages).toBe(0);
    // The removal is no loss.
    await pause(300);
    expect(sink.errors).toHaveLength(1);
    await left(name, 0);
    await transport.close();
  });

  test("comes by the partition that it was in, and not while that is paused", async () => {
    const streams = [{ name: "GPARTS", subjects: ["gparts.*"], partitions: 2 }];
    const transport = await js.transport({ streams, durableName: (group) => group });
    await transport.ensure!({ role: "dead-letter", source: "gparts.a" });
    await transport.publish([message("gparts.a", "1", { key: "k" })]);
    const sink = collectingSink();
    const subscription = await transport.consume({ destinations: ["gparts.a"], group: "g", from: "earliest" }, sink);
    subscription.credit(5);
    await until(() => sink.deliveries.length === 1);
    const { lane } = sink.deliveries[0]!;
    subscription.pauseLane(lane);
    const connection = await js.connect();
    const consumer = `g-p${lane.at(-1)}`;
    const told = { type: "io.nats.jetstream.advisory.v1.max_deliver", consumer, stream_seq: 1, deliveries: 7 };
    connection.publish(
      `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.GPARTS.${consumer}`,
      new TextEncoder().encode(JSON.stringify(told)),
    );
    await left("GPARTS", 1);
    await pause(300);
    expect(sink.deliveries).toHaveLength(1);
    subscription.resumeLane(lane);
    await until(() => sink.deliveries.length === 2);
    const { message: original, attempt, lane: by } = sink.deliveries[1]!;
    expect([original.destination, original.partition, attempt, by]).toEqual(["gparts.a", Number(lane.at(-1)), 7, lane]);
    expect((await subscription.lag()).map((each) => each.lane)).toEqual(["GPARTS/0", "GPARTS/1"]);
    await transport.close({ deadlineMs: 0 });
  });

  test("uses credit", async () => {
    const { destination, transport } = await setUp();
    await transport.publish([1, 2, 3].map((n) => message(destination, String(n))));
    const sink = collectingSink();
    const subscription = await transport.consume({ destinations: [destination], group: "g", from: "earliest" }, sink);
    subscription.credit(6);
    await until(() => sink.deliveries.length === 3);
    for (const n of [0, 1, 2]) await sink.deliveries[n]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 6);
    for (const n of [3, 4, 5]) await sink.deliveries[n]!.settle({ kind: "retry", delayMs: 0 });
    await pause(500);
    expect(sink.deliveries).toHaveLength(6);
    for (let n = 7; n < 10; n++) {
      subscription.credit(1);
      await until(() => sink.deliveries.length === n);
      await pause(100);
      expect(sink.deliveries).toHaveLength(n);
    }
    expect(new Set(sink.deliveries.slice(6).map(({ position }) => position)).size).toBe(3);
    await transport.close({ deadlineMs: 0 });
  });

  test("would be lost where nobody keeps it: a consumer that gives up is refused there", async () => {
    const { destination, transport } = await setUp({}, false);
    await expect(join(transport, destination)).rejects.toMatchObject({
      code: "configuration-mismatch",
      message: expect.stringContaining("max_deliver 2, wanted is -1"),
    });
    await transport.close();
  });

  test("survives the server's death, and so does its collector", async () => {
    const { name, destination, transport } = await setUp();
    const sink = await join(transport, destination);
    await transport.publish([message(destination, "1")]);
    await until(() => sink.deliveries.length === 1);
    await sink.deliveries[0]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 2);
    await sink.deliveries[1]!.settle({ kind: "retry", delayMs: 0 });
    await until(() => sink.deliveries.length === 3);
    await js.server.kill();
    await js.server.restart();
    const settled = sink.deliveries[2]!.settle(ack).then(
      () => true,
      () => false,
    );
    // Where nobody confirmed that, it comes again.
    if (!(await settled)) {
      await until(() => sink.deliveries.length === 4);
      await sink.deliveries[3]!.settle(ack);
    }
    expect(sink.deliveries.slice(2).map(({ givenUp }) => givenUp)).toContain("max-deliveries");
    await left(name, 0);
    await transport.close({ deadlineMs: 0 });
  });

  test("is nothing for who may not look at streams", async () => {
    const permissions = '{ publish: { deny: ["$JS.API.STREAM.INFO.>"] } }';
    await using server = await startNatsServer({
      jetstream: true,
      users: [
        { user: "all", password: "p" },
        { user: "some", password: "p", permissions },
      ],
    });
    const connections = await Promise.all(["all", "some"].map((user) => tcpClient.open(server, { user, pass: "p" })));
    const streams = [{ name: "MAY", subjects: ["may.>"] }];
    const [all, some] = [
      jetstreamTransport({ connection: connections[0]!, streams }),
      jetstreamTransport({ connection: connections[1]! }),
    ];
    await all.ensure!({ role: "dead-letter", source: "may.a" });
    await all.publish([message("may.a", "1")]);
    const sink = await join(some, "may.a");
    await until(() => sink.deliveries.length === 1);
    for (const each of [all, some]) await each.close({ deadlineMs: 0 });
    for (const each of connections) await each.close();
  });

  test("is caught in a JetStream domain as well, where states and letters are kept too", async () => {
    const folder = mkdtempSync(pathOf(tmpdir(), "waybill-domain-"));
    await using server = await startNatsServer({
      config: `jetstream { store_dir: ${JSON.stringify(folder)}, domain: "hub" }`,
    });
    const connection = await tcpClient.open(server);
    const streams = [{ name: "HUB", subjects: ["hub.>"] }];
    const transport = jetstreamTransport({ connection, domain: "hub", streams, durableName: (group) => group });
    const { of } = await transport.ensure!({ role: "dead-letter", source: "hub.a" });
    const store = await transport.openState!("hub");
    const revision = await store.put("k", "1", 0);
    expect(await store.get("k")).toEqual({ value: "1", revision });
    await transport.publish([message("hub.a", "1"), message(of("hub.a"), "letter")]);
    const sink = await join(transport, "hub.a");
    await until(() => sink.deliveries.length === 1);
    connection.publish(
      "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.HUB.g",
      new TextEncoder().encode(JSON.stringify({ type: "x.max_deliver", consumer: "g", stream_seq: 1, deliveries: 2 })),
    );
    await until(() => sink.deliveries.length === 2);
    expect(sink.deliveries[1]).toMatchObject({ givenUp: "max-deliveries", lane: "HUB" });
    for (const each of sink.deliveries) await each.settle(ack);
    await transport.close();
    await connection.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
