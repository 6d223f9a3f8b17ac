import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { EventError } from "../../../core/errors.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { ReadOptions, Transport } from "../../../core/transport.ts";
import { partitionsOf, topicConfig } from "../../support/kafka-admin.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type DriverName, driverOf } from "./drivers.ts";

const KiB = 1024;

let broker: KafkaBroker;
let transport: Transport;

const message = (destination: string, body: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  destination,
  headers: [],
  body,
  ...more,
});

async function publish(...messages: OutgoingMessage[]): Promise<void> {
  for (const outcome of await transport.publish(messages)) if (!outcome.stored) throw outcome.error;
}

async function bodies(destination: string, more: Partial<ReadOptions> = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { position, body } of transport.read!({ destination, ...more })) {
    found.push(`${position} ${new TextDecoder().decode(body ?? undefined)}`);
  }
  return found;
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: EventError) => (error.code === "transport-failed" ? error.message : error.code),
  );

/** The same cases for each driver, against a real broker. */
export function storedCases(name: DriverName): void {
  beforeAll(async () => {
    broker = await startKafka();
    transport = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }) });
  });
  afterAll(async () => {
    await transport?.close();
    await broker?.stop();
  });

  describe("topics provided on a real broker", () => {
    it("are made as their role asks, and are left as they are the second time", async () => {
      const source = `orders-${randomUUID()}`;
      await broker.createTopic(source, 3, { "max.message.bytes": String(300 * KiB) });
      for (let round = 0; round < 2; round++) {
        await transport.ensure!({ role: "dead-letter", source });
        await transport.ensure!({ role: "retry", source });
        await transport.ensure!({ role: "state", source });
        expect(await partitionsOf(broker.port, `${source}.dlq`)).toBe(1);
        expect(await partitionsOf(broker.port, `${source}.retry`)).toBe(3);
        expect(await partitionsOf(broker.port, `${source}.state`)).toBe(1);
      }
      const letters = await topicConfig(broker.port, `${source}.dlq`);
      expect(letters).toMatchObject({ "cleanup.policy": "delete", "retention.ms": "-1" });
      expect(Number(letters["max.message.bytes"])).toBeGreaterThanOrEqual((300 + 64) * KiB);
      expect(await topicConfig(broker.port, `${source}.state`)).toMatchObject({ "cleanup.policy": "compact" });
      // At once, without waiting for anything.
      await publish(message(`${source}.dlq`, "x".repeat(340 * KiB)), message(`${source}.retry`, "r"));
    });

    it("are refused where they could not keep what they are for; nothing is changed and nothing is lost", async () => {
      const [compacted, plain] = [`compacted-${randomUUID()}`, `plain-${randomUUID()}`];
      await broker.createTopic(compacted, 1, { "cleanup.policy": "compact" });
      await broker.createTopic(plain, 1);
      await publish(message(compacted, "1", { key: "a" }), message(plain, "1"), message(plain, "2"));
      const asDead = (destination: string) => transport.ensure!({ role: "dead-letter", source: plain, destination });
      const asState = (destination: string) => transport.ensure!({ role: "state", source: plain, destination });
      expect(await codeOf(asDead(compacted))).toBe("configuration-mismatch");
      expect(await codeOf(asState(plain))).toBe("configuration-mismatch");
      expect(await codeOf(asDead(plain))).toBe("none");
      expect(await codeOf(asState(compacted))).toBe("none");
      expect(await topicConfig(broker.port, compacted)).toMatchObject({ "cleanup.policy": "compact" });
      expect(await topicConfig(broker.port, plain)).toMatchObject({ "cleanup.policy": "delete" });
      expect(await bodies(plain)).toEqual(["0/0 1", "0/1 2"]);
      expect(await bodies(compacted)).toEqual(["0/0 1"]);
    });

    it("are provided once by rivals, and with a source that does not exist yet", async () => {
      const source = `new-${randomUUID()}`;
      const rivals = Array.from({ length: 4 }, () => transport.ensure!({ role: "retry", source }));
      await Promise.all(rivals);
      expect(await partitionsOf(broker.port, source)).toBe(4); // as the broker creates topics by itself
      expect(await partitionsOf(broker.port, `${source}.retry`)).toBe(4);
    });

    it("are refused with a name that no topic may have", async () => {
      const spec = { role: "retry", source: `s-${randomUUID()}`, destination: "no spaces" } as const;
      expect(await codeOf(transport.ensure!(spec))).toBe("invalid-destination");
    });
  });

  describe("a reading on a real broker", () => {
    it("gives partition after partition in order, ends, and goes on at any of its positions", async () => {
      const topic = `read-${randomUUID()}`;
      await broker.createTopic(topic, 3);
      await publish(...Array.from({ length: 600 }, (_, n) => message(topic, String(n), { key: `k${n % 40}` })));
      const all = await bodies(topic);
      const places = all.map((each) => each.split(" ")[0]!.split("/").map(Number));
      expect(all).toHaveLength(600);
      expect(places).toEqual([...places].sort(([p, o], [q, r]) => p! - q! || o! - r!));
      for (const at of [1, 100, 333, 599]) {
        expect(await bodies(topic, { from: all[at]!.split(" ")[0] })).toEqual(all.slice(at));
      }
    });

    it("ends at once on a topic that is empty, and rejects for one that is missing and creates none", async () => {
      const topic = `empty-${randomUUID()}`;
      await broker.createTopic(topic, 4);
      expect(await bodies(topic)).toEqual([]);
      const missing = `missing-${randomUUID()}`;
      expect(await codeOf(bodies(missing))).toBe("invalid-destination");
      expect(await partitionsOf(broker.port, missing)).toBe(0);
    });

    it("ends at what was stored when it began, though more is stored without pause", async () => {
      const topic = `busy-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      await publish(...Array.from({ length: 50 }, (_, n) => message(topic, String(n))));
      const found: string[] = [];
      for await (const { position } of transport.read!({ destination: topic })) {
        found.push(position!);
        await publish(message(topic, "more"));
      }
      expect(found).toEqual(Array.from({ length: 50 }, (_, n) => `0/${n}`));
    });

    it("leaves out what was aborted, and ends behind markers", async () => {
      const topic = `tx-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const publisher = await transport.openTransactions!(`reader-${randomUUID()}`);
      await publisher.publish([message(topic, "a"), message(topic, "b")]);
      // The rest of this one is refused, and so all of it is taken back.
      const small = `small-${randomUUID()}`;
      await broker.createTopic(small, 1, { "max.message.bytes": "1000" });
      const large = crypto.getRandomValues(new Uint8Array(5_000));
      const refused = publisher.publish([message(topic, "no"), message(small, "no", { body: large })]);
      expect(await codeOf(refused)).toBe("too-large");
      expect(await bodies(topic)).toEqual(["0/0 a", "0/1 b"]);
      await publisher.publish([message(topic, "c")]);
      await publish(message(topic, "d"));
      const found = await bodies(topic);
      expect(found.map((each) => each.split(" ")[1])).toEqual(["a", "b", "c", "d"]);
      expect(await bodies(topic, { from: found[2]!.split(" ")[0] })).toEqual(found.slice(2));
      await publisher.close();
    });

    it("ends behind the gaps that compaction leaves", async () => {
      const topic = `gaps-${randomUUID()}`;
      const often = { "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0" };
      await broker.createTopic(topic, 1, { "cleanup.policy": "compact", ...often });
      let writes = 0;
      // A segment is closed by the next write: each of these replaces most of what was there before.
      await expect
        .poll(
          async () => {
            await publish(...["a", "b", "c"].map((key) => message(topic, `${++writes}`, { key })));
            return writes - (await bodies(topic)).length;
          },
          { timeout: 60_000, interval: 300 },
        )
        .toBeGreaterThan(10);
      const left = await bodies(topic);
      expect(left.slice(-3).map((each) => each.split(" ")[1])).toEqual([writes - 2, writes - 1, writes].map(String));
      await publish(message(topic, "", { key: "a", body: null }));
      expect((await bodies(topic, { from: `0/${writes - 1}` })).length).toBe(2);
    });

    it("rejects with aborted and with closed while it is under way", async () => {
      const topic = `ends-${randomUUID()}`;
      await broker.createTopic(topic, 2);
      await publish(...Array.from({ length: 1_000 }, (_, n) => message(topic, String(n))));
      const control = new AbortController();
      const aborted = transport.read!({ destination: topic, signal: control.signal })[Symbol.asyncIterator]();
      await aborted.next();
      control.abort();
      expect(await codeOf(aborted.next())).toBe("aborted");
      const other = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }) });
      const closed = other.read!({ destination: topic })[Symbol.asyncIterator]();
      await closed.next();
      await other.close();
      expect(await codeOf(closed.next())).toBe("closed");
      const waiting = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }) });
      const opening = waiting.read!({ destination: topic })[Symbol.asyncIterator]().next();
      await waiting.close();
      expect(await codeOf(opening)).toBe("closed");
    });

    it("goes on after a kill of the broker in the middle", async () => {
      const topic = `killed-${randomUUID()}`;
      await broker.createTopic(topic, 2);
      await publish(...Array.from({ length: 40_000 }, (_, n) => message(topic, "x".repeat(900), { key: String(n) })));
      let count = 0;
      for await (const _ of transport.read!({ destination: topic })) {
        count++;
        if (count !== 1_000) continue;
        await broker.kill();
        await broker.restart();
      }
      expect(count).toBe(40_000);
    });
  });
}
