import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KafkaDriver } from "../../../adapters/kafka/driver.ts";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Delivery, Transport, TransportSubscription } from "../../../core/transport.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { type DriverName, driverOf, type TestOptions } from "./drivers.ts";
import { SerialSink } from "./serial-sink.ts";

const memberFile = fileURLToPath(new URL("./group-member.ts", import.meta.url));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const textOf = (delivery: Delivery): string => new TextDecoder().decode(delivery.message.body!);

let broker: KafkaBroker;
let driver: DriverName;
let folder: string;
const open: Transport[] = [];
const members: ChildProcess[] = [];

function transportWith({ maxAhead, ...options }: Partial<TestOptions> & { maxAhead?: number } = {}): Transport {
  const transport = kafkaTransport({
    driver: driverOf(driver, { brokers: broker.brokers, ...options }),
    commitIntervalMs: 100,
    ...(maxAhead ? { maxAhead: { messages: maxAhead } } : {}),
  });
  open.push(transport);
  return transport;
}

async function topicOf(partitions: number): Promise<string> {
  const topic = `t-${randomUUID()}`;
  await broker.createTopic(topic, partitions);
  return topic;
}

/** `perKey` numbered events of each key, the keys taking turns. */
function keyed(topic: string, keys: number, perKey: number): OutgoingMessage[] {
  return Array.from({ length: keys * perKey }, (_, n) => ({
    destination: topic,
    headers: [],
    key: `k${n % keys}`,
    body: String(Math.floor(n / keys)),
  }));
}

async function publishAll(transport: Transport, messages: readonly OutgoingMessage[]): Promise<void> {
  for (let at = 0; at < messages.length; at += 500) {
    for (const outcome of await transport.publish(messages.slice(at, at + 500)))
      if (!outcome.stored) throw outcome.error;
  }
}

/** How many first occurrences came after a later one of their key, and how many distinct events there were. */
function judge(handled: readonly (readonly [key: string, n: number])[]): { distinct: number; late: number } {
  const seen = new Set<string>();
  const highest = new Map<string, number>();
  let late = 0;
  for (const [key, n] of handled) {
    if (seen.has(`${key} ${n}`)) continue;
    seen.add(`${key} ${n}`);
    if (n < (highest.get(key) ?? -1)) late++;
    else highest.set(key, n);
  }
  return { distinct: seen.size, late };
}

/** The same cases for each driver, against a real broker. */
export function groupCases(name: DriverName): void {
  describe("a group on a real broker", () => {
    beforeAll(async () => {
      driver = name;
      broker = await startKafka();
      folder = await mkdtemp(join(tmpdir(), "waybill-group-"));
    });
    afterAll(async () => {
      for (const member of members) member.kill("SIGKILL");
      await Promise.all(open.map((each) => each.close({ deadlineMs: 1_000 })));
      await broker?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    it("handles 20,000 keyed events without skipping one while a member is killed and another joins", async () => {
      const topic = await topicOf(6);
      const file = join(folder, topic);
      await writeFile(file, "");
      const enter = async (): Promise<ChildProcess> => {
        const args = ["--import", "tsx", memberFile, driver, broker.brokers, topic, "shop", file];
        const member = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
        members.push(member);
        await new Promise((resolve) => member.stdout!.once("data", resolve));
        return member;
      };
      const handled = async (): Promise<[string, number][]> => {
        const lines = (await readFile(file, "utf8")).split("\n").filter(Boolean);
        return lines.map((line) => [line.split(" ")[0]!, Number(line.split(" ")[1])]);
      };
      const [first] = await Promise.all([enter(), enter()]);
      const publishing = publishAll(transportWith(), keyed(topic, 200, 100));
      await vi.waitFor(async () => expect((await handled()).length).toBeGreaterThan(4_000), { timeout: 60_000 });
      first.kill("SIGKILL");
      expect((await handled()).length).toBeLessThan(19_000);
      const third = enter();
      await publishing;
      await vi.waitFor(async () => expect(judge(await handled()).distinct).toBe(20_000), {
        timeout: 80_000,
        interval: 250,
      });
      await third;
      expect(judge(await handled())).toEqual({ distinct: 20_000, late: 0 });
      for (const member of members.splice(0)) member.kill("SIGTERM");
    });

    it.each(["cooperative-sticky", "roundrobin"] as const)(
      "hands partitions over gracefully with %s",
      async (strategy) => {
        const topic = await topicOf(4);
        const handled: [string, number][] = [];
        const member = async (): Promise<{ transport: Transport; sink: SerialSink }> => {
          const transport = transportWith({ assignmentStrategy: strategy });
          const sink = new SerialSink(async (delivery) => {
            await sleep(1);
            handled.push([delivery.message.key!, Number(textOf(delivery))]);
          });
          sink.subscription = await transport.consume(
            { destinations: [topic], group: strategy, from: "earliest" },
            sink,
          );
          sink.subscription.credit(32);
          return { transport, sink };
        };
        const one = await member();
        const publishing = publishAll(one.transport, keyed(topic, 60, 100));
        await vi.waitFor(() => expect(handled.length).toBeGreaterThan(1_000), 20_000);
        const two = await member();
        await vi.waitFor(() => expect(one.sink.revoked.length).toBeGreaterThanOrEqual(2), 20_000);
        await publishing;
        expect(await two.transport.close()).toEqual({ unsent: 0, unsettled: 0 });
        await vi.waitFor(() => expect(judge(handled).distinct).toBe(6_000), 30_000);
        expect(judge(handled).late).toBe(0);
        expect(await one.transport.close()).toEqual({ unsent: 0, unsettled: 0 });
        expect([...one.sink.failures, ...two.sink.failures]).toEqual([]);
      },
    );

    it("goes on with partitions that were paused when they were taken away and come back", async () => {
      const topic = await topicOf(4);
      const seen = new Set<string>();
      const member = async (): Promise<Transport> => {
        // So few that every partition is full, and paused at the client, all the time.
        const transport = transportWith({ maxAhead: 20, assignmentStrategy: "roundrobin" });
        const sink = new SerialSink(async (delivery) => {
          await sleep(2);
          seen.add(`${delivery.message.key} ${textOf(delivery)}`);
        });
        sink.subscription = await transport.consume({ destinations: [topic], group: topic, from: "earliest" }, sink);
        sink.subscription.credit(4);
        return transport;
      };
      const one = await member();
      await publishAll(one, keyed(topic, 40, 50));
      await vi.waitFor(() => expect(seen.size).toBeGreaterThan(100), 20_000);
      const two = await member();
      await vi.waitFor(() => expect(seen.size).toBeGreaterThan(500), 30_000);
      await two.close();
      await vi.waitFor(() => expect(seen.size).toBe(2_000), 60_000);
    });

    it("keeps its place and a bounded number of messages while handlers are 100 times slower than the producer", async () => {
      const topic = await topicOf(1);
      let polled = 0;
      let settled = 0;
      let mostHeld = 0;
      let handlerMs = 0;
      let halfway: ReturnType<TransportSubscription["lag"]> | undefined;
      // Shorter than the test runs: a member that stopped polling would be thrown out.
      const config = { "max.poll.interval.ms": 3_000 };
      const inner = driverOf(driver, { brokers: broker.brokers, sessionTimeoutMs: 2_000, config });
      const counting: KafkaDriver = {
        ...inner,
        async openConsumer(source, events) {
          const consumer = await inner.openConsumer(source, events);
          const poll = consumer.poll.bind(consumer);
          consumer.poll = async (max) => {
            const records = await poll(max);
            polled += records.length;
            mostHeld = Math.max(mostHeld, polled - settled);
            return records;
          };
          return consumer;
        },
      };
      const transport = kafkaTransport({ driver: counting, maxAhead: { messages: 100 } });
      open.push(transport);
      const seen: string[] = [];
      const sink = new SerialSink(async (delivery) => {
        await sleep(handlerMs);
        seen.push(textOf(delivery));
        if (++settled === 300) halfway = sink.subscription?.lag();
      });
      sink.subscription = await transport.consume({ destinations: [topic], group: "slow", from: "earliest" }, sink);
      const messages = keyed(topic, 1, 600);
      await transport.publish([]);
      let fastestMs = Number.POSITIVE_INFINITY;
      for (let from = 0; from < messages.length; from += 100) {
        const began = performance.now();
        await publishAll(transport, messages.slice(from, from + 100));
        fastestMs = Math.min(fastestMs, (performance.now() - began) / 100);
      }
      // Slower by construction, whatever the machine does; and long enough for a member that stops polling to be lost.
      handlerMs = Math.max(15, 100 * fastestMs);
      sink.subscription.credit(1);
      await vi.waitFor(() => expect(halfway).toBeDefined(), { timeout: 120_000, interval: 50 });
      const [lag] = await halfway!;
      expect(lag!.lane).toBe(`${topic}/0`);
      expect(lag!.messages).toBeGreaterThan(200);
      await vi.waitFor(() => expect(seen.length).toBe(600), { timeout: 120_000, interval: 50 });
      // A full queue, and the one poll by which it may overshoot.
      expect(mostHeld).toBeLessThanOrEqual(200);
      expect(seen).toEqual(messages.map((each) => each.body));
      expect(sink.revoked).toEqual([]);
      expect(sink.failures).toEqual([]);
    }, 300_000);

    it("begins with what comes after the subscription where it is asked for new events, and goes on from there", async () => {
      const topic = await topicOf(2);
      const transport = transportWith();
      await publishAll(transport, keyed(topic, 4, 3));
      const seen: string[] = [];
      const consume = async (): Promise<Transport> => {
        const member = transportWith();
        const sink = new SerialSink(async (delivery) => void seen.push(textOf(delivery)));
        sink.subscription = await member.consume({ destinations: [topic], group: "n", from: "new" }, sink);
        sink.subscription.credit(10);
        return member;
      };
      const first = await consume();
      await transport.publish([{ destination: topic, headers: [], key: "a", body: "after" }]);
      await vi.waitFor(() => expect(seen).toEqual(["after"]), 5_000);
      await first.close();
      // Written while nobody is there, one of it to a partition that had nothing before.
      await transport.publish(
        ["a", "order-1", "order-2"].map((key) => ({ destination: topic, headers: [], key, body: key })),
      );
      await consume();
      await vi.waitFor(() => expect(seen.toSorted()).toEqual(["a", "after", "order-1", "order-2"]), 10_000);
    });

    it("leaves at once when it closes in the middle of a rebalance: the other member has its partitions back", async () => {
      const topic = await topicOf(4);
      const seen = new Set<string>();
      const enter = async (): Promise<Transport> => {
        const member = transportWith();
        const sink = new SerialSink(async (delivery) => void seen.add(`${delivery.message.key} ${textOf(delivery)}`));
        sink.subscription = await member.consume({ destinations: [topic], group: "leave", from: "earliest" }, sink);
        sink.subscription.credit(100);
        return member;
      };
      const stays = await enter();
      const leaves = await enter();
      expect(await leaves.close()).toEqual({ unsent: 0, unsettled: 0 });
      await publishAll(stays, keyed(topic, 20, 5));
      // The session of a member that merely vanished would last 45 seconds.
      await vi.waitFor(() => expect(seen.size).toBe(100), 15_000);
    });

    it("reports a commit the broker does not answer, and settles once it does", async () => {
      const topic = await topicOf(1);
      const transport = transportWith();
      await publishAll(transport, keyed(topic, 1, 1));
      const failures: string[] = [];
      let delivered: (delivery: Delivery) => void;
      const delivery = new Promise<Delivery>((resolve) => {
        delivered = resolve;
      });
      const subscription = await transport.consume(
        { destinations: [topic], group: "frozen", from: "earliest" },
        {
          deliver: (each) => delivered(each),
          revoke: async () => undefined,
          failed: (error) => void failures.push(error.code),
        },
      );
      subscription.credit(1);
      const held = await delivery;
      broker.freeze();
      let confirmed = false;
      const settling = held.settle({ kind: "ack" }).then(() => {
        confirmed = true;
      });
      await vi.waitFor(() => expect(failures).toContain("timeout"), 15_000);
      expect(confirmed).toBe(false);
      broker.thaw();
      await settling;
    });

    it("goes on after the broker was killed: nothing is skipped, and commits are accepted again", async () => {
      const topic = await topicOf(4);
      const transport = transportWith();
      const seen = new Set<string>();
      const sink = new SerialSink(async (delivery) => void seen.add(`${delivery.message.key} ${textOf(delivery)}`));
      sink.subscription = await transport.consume({ destinations: [topic], group: "outage", from: "earliest" }, sink);
      sink.subscription.credit(10);
      const messages = keyed(topic, 20, 20);
      await publishAll(transport, messages.slice(0, 200));
      await broker.kill();
      const publishing = publishAll(transport, messages.slice(200));
      await sleep(1_000);
      expect(transport.health().state).toBe("disconnected");
      await broker.restart();
      await publishing;
      await vi.waitFor(() => expect(seen.size).toBe(400), 40_000);
      await vi.waitFor(() => expect(transport.health().state).toBe("connected"), 10_000);
      // A session that timed out takes the partitions away and gives them back: what comes again is handled as well.
      await vi.waitFor(async () => {
        const lags = await sink.subscription!.lag();
        expect(lags.map((each) => each.messages)).toEqual([0, 0, 0, 0]);
      }, 60_000);
      expect(await transport.close({ deadlineMs: 60_000 })).toEqual({ unsent: 0, unsettled: 0 });
      const again: string[] = [];
      const next = transportWith();
      const late = new SerialSink(async (delivery) => void again.push(delivery.position));
      late.subscription = await next.consume({ destinations: [topic], group: "outage", from: "earliest" }, late);
      late.subscription.credit(10);
      await sleep(1_500);
      expect(again).toEqual([]);
    });

    it("reads everything without a group, twice and at once, and leaves no group at the broker", async () => {
      const topic = await topicOf(3);
      const transport = transportWith();
      await publishAll(transport, keyed(topic, 10, 10));
      const counts = [0, 0];
      for (const index of [0, 1]) {
        const sink = new SerialSink(async () => void counts[index]!++);
        sink.subscription = await transport.consume({ destinations: [topic], from: "earliest" }, sink);
        sink.subscription.credit(1_000);
      }
      await vi.waitFor(() => expect(counts).toEqual([100, 100]), 10_000);
      expect(await broker.groups()).not.toContain("waybill-ungrouped");
    });

    it("begins with the first record when connecting takes its time", async () => {
      const topic = await topicOf(1);
      await publishAll(transportWith(), keyed(topic, 1, 10));
      await using proxy = await startTcpProxy(broker.port);
      proxy.delay(60);
      for (let reader = 0; reader < 5; reader++) {
        const transport = transportWith({ brokers: `127.0.0.1:${proxy.port}` });
        const seen: string[] = [];
        const sink = new SerialSink(async (delivery) => void seen.push(delivery.position));
        sink.subscription = await transport.consume({ destinations: [topic], from: "earliest" }, sink);
        sink.subscription.credit(100);
        await vi.waitFor(() => expect(seen.at(-1)).toBe("9"), 10_000);
        expect(seen).toHaveLength(10);
        await transport.close({ deadlineMs: 1_000 });
      }
    });
  });
}
