import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KafkaDriver, KafkaTransactions } from "../../../adapters/kafka/driver.ts";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { EventError } from "../../../core/errors.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Transport } from "../../../core/transport.ts";
import { logEnd } from "../../support/kafka-admin.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type DriverName, driverOf } from "./drivers.ts";

let broker: KafkaBroker;
let transport: Transport;

/** Messages of one round, over the partitions of both topics. */
const roundOf = (topics: readonly string[], round: string, count: number): OutgoingMessage[] =>
  Array.from({ length: count }, (_, n) => ({
    destination: topics[n % topics.length]!,
    headers: ["round", round],
    body: `${n}`.padEnd(200, "x"),
    key: `k${n % 23}`,
  }));

/** How many messages of each round committed readers see. */
async function rounds(...topics: string[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const destination of topics) {
    for await (const { headers } of transport.read!({ destination })) {
      const round = headers.get("round")!;
      found[round] = (found[round] ?? 0) + 1;
    }
  }
  return found;
}

/** Until readers see these. Brokers mark partitions as committed behind the answer to the commit. */
const sees = (topics: readonly string[], expected: Record<string, number>): Promise<void> =>
  expect.poll(() => rounds(...topics), { timeout: 10_000 }).toEqual(expected);

const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "stored",
    ({ code, outcome: what, retryable }: EventError) => ({ code, outcome: what, retryable }),
  );

async function twoTopics(): Promise<[string, string]> {
  const [a, b] = [`a-${randomUUID()}`, `b-${randomUUID()}`];
  await Promise.all([broker.createTopic(a, 1), broker.createTopic(b, 3)]);
  return [a, b];
}

/** The same cases for each driver, against a real broker. */
export function transactionCases(name: DriverName): void {
  const newTransport = (): Transport => kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }) });
  beforeAll(async () => {
    broker = await startKafka();
    transport = newTransport();
  });
  afterAll(async () => {
    await transport?.close();
    await broker?.stop();
  });

  describe("transactions on a real broker", () => {
    it("store all of a call, in its order, over topics and partitions and more than one batch", async () => {
      const topics = await twoTopics();
      const publisher = await transport.openTransactions!(randomUUID());
      const sent = roundOf(topics, "all", 5_000);
      await publisher.publish(sent);
      await publisher.publish([]);
      const large = "x".repeat(300 * 1024);
      await publisher.publish(
        Array.from({ length: 12 }, () => ({ ...sent[0]!, headers: ["round", "large"], body: large })),
      );
      await sees(topics, { all: 5_000, large: 12 });
      const bodies = new Map<string, number[]>();
      for await (const { key, body, headers } of transport.read!({ destination: topics[1] })) {
        if (headers.get("round") !== "all") continue;
        bodies.set(key!, [...(bodies.get(key!) ?? []), Number.parseInt(new TextDecoder().decode(body!), 10)]);
      }
      for (const numbers of bodies.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      await publisher.close();
    });

    it("store nothing of a call when one of its messages is refused, and go on with the next", async () => {
      const topics = await twoTopics();
      const small = `small-${randomUUID()}`;
      await broker.createTopic(small, 1, { "max.message.bytes": "2000" });
      const publisher = await transport.openTransactions!(randomUUID());
      const body = crypto.getRandomValues(new Uint8Array(5_000));
      for (let n = 0; n < 3; n++) {
        const refused = publisher.publish([
          ...roundOf(topics, "refused", 100),
          { destination: small, headers: [], body },
        ]);
        expect(await outcome(refused)).toEqual({ code: "too-large", outcome: "failed", retryable: false });
        // Also to where the brokers have refused one.
        const there = { destination: small, headers: ["round", `after ${n}`], body: "small" };
        await publisher.publish([...roundOf(topics, `after ${n}`, 100), there]);
      }
      await sees([...topics, small], { "after 0": 101, "after 1": 101, "after 2": 101 });
      await publisher.close();
    });

    it("are read, whatever was undone before them and behind them", async () => {
      const [there, other] = [`there-${randomUUID()}`, `other-${randomUUID()}`];
      for (const topic of [there, other]) await broker.createTopic(topic, 1, { "max.message.bytes": "2000" });
      const publisher = await transport.openTransactions!(randomUUID());
      const of = (destination: string, round: string, body: Uint8Array | string): OutgoingMessage => ({
        ...{ destination, headers: ["round", round], body },
      });
      const large = crypto.getRandomValues(new Uint8Array(5_000));
      // Undone: first with records, in the end with none, since the only one was refused.
      const undone = publisher.publish([...roundOf([there], "undone", 3), of(other, "undone", large)]);
      expect(await outcome(undone)).toMatchObject({ code: "too-large" });
      await publisher.publish(roundOf([there], "kept", 3));
      expect(await outcome(publisher.publish([of(there, "refused", large)]))).toMatchObject({ code: "too-large" });
      await sees([there, other], { kept: 3 });
      await publisher.close();
    });

    it("are seen by no consumer before they are committed, and never when they are given up", async () => {
      const topics = await twoTopics();
      const seen: string[] = [];
      const subscription = await transport.consume(
        { destinations: topics, group: randomUUID(), from: "earliest" },
        {
          deliver(delivery) {
            seen.push(delivery.message.headers.get("round")!);
            void delivery.settle({ kind: "ack" }).catch(() => undefined);
          },
          revoke: async () => undefined,
          failed: (error) => {
            throw error;
          },
        },
      );
      subscription.credit(1_000_000);
      const publisher = await transport.openTransactions!(randomUUID());
      await publisher.publish(roundOf(topics, "first", 50));
      const control = new AbortController();
      const given = publisher.publish(roundOf(topics, "given up", 30_000), { signal: control.signal });
      // Some of it is in the log.
      await expect.poll(() => logEnd(broker.port, topics[0], 0), { timeout: 20_000, interval: 5 }).toBeGreaterThan(100);
      expect(new Set(seen)).toEqual(new Set(["first"]));
      control.abort();
      expect(await outcome(given)).toMatchObject({ code: "aborted", outcome: "failed" });
      await publisher.publish(roundOf(topics, "last", 50));
      await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(100);
      expect(new Set(seen)).toEqual(new Set(["first", "last"]));
      await sees(topics, { first: 50, last: 50 });
      await subscription.close();
      await publisher.close();
    });

    it("have one owner: an earlier publisher of the name is fenced for good", async () => {
      const topics = await twoTopics();
      const id = randomUUID();
      const other = newTransport();
      const earlier = await transport.openTransactions!(id);
      await earlier.publish(roundOf(topics, "earlier", 20));
      const later = await other.openTransactions!(id);
      await later.publish(roundOf(topics, "later", 20));
      for (let n = 0; n < 2; n++) {
        expect(await outcome(earlier.publish(roundOf(topics, "zombie", 20)))).toEqual({
          code: "fenced",
          outcome: "failed",
          retryable: false,
        });
      }
      await later.publish(roundOf(topics, "on", 20));
      await sees(topics, { earlier: 20, later: 20, on: 20 });
      const latest = await transport.openTransactions!(id);
      expect(await outcome(later.publish(roundOf(topics, "zombie", 1)))).toMatchObject({ code: "fenced" });
      await latest.publish(roundOf(topics, "latest", 20));
      await sees(topics, { earlier: 20, later: 20, on: 20, latest: 20 });
      await Promise.all([other.close(), latest.close()]);
    });

    it("fence an owner whose failed transaction was undone, though it takes up a producer again", async () => {
      const topics = await twoTopics();
      const id = randomUUID();
      const earlier = await transport.openTransactions!(id);
      const small = `small-${randomUUID()}`;
      await broker.createTopic(small, 1, { "max.message.bytes": "1000" });
      const large = { destination: small, headers: [], body: crypto.getRandomValues(new Uint8Array(5_000)) };
      expect(await outcome(earlier.publish([large]))).toMatchObject({ code: "too-large" });
      const later = await transport.openTransactions!(id);
      await later.publish(roundOf(topics, "later", 20));
      expect(await outcome(earlier.publish(roundOf(topics, "zombie", 1)))).toMatchObject({ code: "fenced" });
      await later.publish(roundOf(topics, "on", 20));
      await sees(topics, { later: 20, on: 20 });
      await later.close();
    });

    it("are stored whole or not at all by a process that is killed, and its name goes on at once", async () => {
      const topic = `killed-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const id = randomUUID();
      const script = fileURLToPath(new URL("transaction-writer.ts", import.meta.url));
      let before = 0;
      for (let kill = 0; kill < 3; kill++) {
        const args = ["--import", "tsx", script, name, broker.brokers, topic, id, "200000"];
        const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
        try {
          // In the middle: some of its first transaction is in the log, and it is open.
          const some = before + 2_000;
          await expect
            .poll(() => logEnd(broker.port, topic, 0), { timeout: 60_000, interval: 5 })
            .toBeGreaterThan(some);
        } finally {
          child.kill("SIGKILL");
          await once(child, "exit");
        }
        expect((await rounds(topic))["0"]).toBeUndefined();
        const next = await transport.openTransactions!(id);
        await next.publish(roundOf([topic], `next ${kill}`, 10));
        await next.close();
        await sees([topic], Object.fromEntries(Array.from({ length: kill + 1 }, (_, n) => [`next ${n}`, 10])));
        before = await logEnd(broker.port, topic, 0);
      }
    });

    it("go on after a kill of the broker, and what was not stored was not stored at all", async () => {
      const topics = await twoTopics();
      const publisher = await transport.openTransactions!(randomUUID());
      const told: Record<string, unknown> = {};
      let stop = false;
      const publishing = (async () => {
        for (let round = 0; !stop; round++)
          told[round] = await outcome(publisher.publish(roundOf(topics, `${round}`, 200)));
      })();
      await expect.poll(() => Object.keys(told).length, { timeout: 20_000 }).toBeGreaterThan(3);
      await broker.kill();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await broker.restart();
      const soFar = Object.keys(told).length;
      await expect.poll(() => Object.keys(told).length, { timeout: 60_000 }).toBeGreaterThan(soFar + 3);
      stop = true;
      await publishing;
      const asTold = async (): Promise<void> => {
        const seen = await rounds(...topics);
        for (const [round, what] of Object.entries(told)) {
          if (what === "stored") expect([round, seen[round]]).toEqual([round, 200]);
          else if ((what as { outcome: string }).outcome === "failed")
            expect([round, seen[round]]).toEqual([round, undefined]);
        }
        for (const count of Object.values(seen)) expect(count).toBe(200);
      };
      await vi.waitFor(asTold, { timeout: 10_000 });
      await publisher.close();
    });

    it("are unknown when the commit gets no answer; the next of the name finds all of it or nothing", async () => {
      const topics = await twoTopics();
      const driver = driverOf(name, { brokers: broker.brokers, deliveryTimeoutMs: 1_500 });
      const frozen: KafkaDriver = {
        ...driver,
        async openTransactions(options, events) {
          const opened = await driver.openTransactions!(options, events);
          const store: KafkaTransactions["store"] = (records, signal, committing) =>
            opened.store(records, signal, () => {
              committing();
              broker.freeze();
            });
          return { store, close: (timeoutMs) => opened.close(timeoutMs) };
        },
      };
      const doubtful = kafkaTransport({ driver: frozen });
      const id = randomUUID();
      const publisher = await doubtful.openTransactions!(id);
      try {
        expect(await outcome(publisher.publish(roundOf(topics, "doubtful", 30)))).toMatchObject({ outcome: "unknown" });
        expect(await outcome(publisher.publish(roundOf(topics, "after", 30)))).toMatchObject({ outcome: "failed" });
      } finally {
        broker.thaw();
      }
      await doubtful.close({ deadlineMs: 500 });
      const next = await transport.openTransactions!(id);
      await next.publish(roundOf(topics, "next", 10));
      // What its predecessor began is decided by now.
      const { doubtful: stored } = await rounds(...topics);
      expect([undefined, 30]).toContain(stored);
      await sees(topics, stored === undefined ? { next: 10 } : { doubtful: 30, next: 10 });
      await next.close();
    });

    it("reject while no broker answers within the time of a delivery, certainly not stored", async () => {
      const topics = await twoTopics();
      const short = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers, deliveryTimeoutMs: 2_000 }) });
      const id = randomUUID();
      const publisher = await short.openTransactions!(id);
      await publisher.publish(roundOf(topics, "before", 10));
      broker.freeze();
      let late: unknown;
      try {
        late = await outcome(publisher.publish(roundOf(topics, "late", 10)));
      } finally {
        broker.thaw();
      }
      expect(late).toMatchObject({ outcome: "failed" });
      await short.close({ deadlineMs: 500 });
      const next = await transport.openTransactions!(id);
      await next.publish(roundOf(topics, "next", 10));
      await sees(topics, { before: 10, next: 10 });
      await next.close();
    });
  });
}
