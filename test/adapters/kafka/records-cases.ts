import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Delivery, Transport } from "../../../core/transport.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type DriverName, driverOf } from "./drivers.ts";
import { javaPartitions } from "./java-partitions.ts";

const MiB = 1024 * 1024;

let broker: KafkaBroker;
let transport: Transport;

const message = (destination: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  destination,
  headers: [],
  body: "x",
  ...more,
});

/** Consumes the first `count` messages of a topic, without a group. */
async function read(topic: string, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  let all: () => void;
  const done = new Promise<void>((resolve) => {
    all = resolve;
  });
  const subscription = await transport.consume(
    { destinations: [topic], from: "earliest" },
    {
      deliver(delivery) {
        deliveries.push(delivery);
        void delivery.settle({ kind: "ack" });
        if (deliveries.length === count) all();
      },
      revoke: async () => undefined,
      failed: (error) => {
        throw error;
      },
    },
  );
  subscription.credit(count);
  await done;
  await subscription.close();
  return deliveries.sort((a, b) => a.message.offset! - b.message.offset!);
}

/** The same cases for each driver, against a real broker. */
export function recordsCases(name: DriverName): void {
  beforeAll(async () => {
    broker = await startKafka();
    transport = kafkaTransport({ driver: driverOf(name, { brokers: broker.brokers }), commitIntervalMs: 50 });
  });
  afterAll(async () => {
    await transport?.close();
    await broker?.stop();
  });

  describe("records on a real broker", () => {
    it("carry headers unchanged: Unicode, empty, binary, duplicates in order, __proto__", async () => {
      const topic = `headers-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const binary = new Uint8Array([0, 255, 13, 10, 0]);
      const headers = [
        "ключ",
        "日本 🌎",
        "empty",
        "",
        "none",
        new Uint8Array(0),
        "bin",
        binary,
        "d",
        "1",
        "D",
        "2",
        "d",
        "3",
      ];
      const [stored] = await transport.publish([
        message(topic, { headers: [...headers, "__proto__", "p", "7", "seven"], key: "k", body: '{"a":1}' }),
      ]);
      expect(stored).toEqual({ stored: true, at: { partition: 0, offset: 0 } });
      const [{ message: received }] = (await read(topic, 1)) as [Delivery];
      expect(received.headers.keys()).toEqual(["ключ", "empty", "none", "bin", "d", "D", "__proto__", "7"]);
      expect(received.headers.get("ключ")).toBe("日本 🌎");
      expect(received.headers.get("empty")).toBe("");
      expect(received.headers.get("none")).toBe("");
      expect(received.headers.getAll("d")).toEqual(["1", "2", "3"]);
      expect(received.headers.get("__proto__")).toBe("p");
      expect(received.headers.get("7")).toBe("seven");
      expect(received.headers.get("bin")).toBe(new TextDecoder().decode(binary));
      expect(received).toMatchObject({ destination: topic, key: "k", partition: 0, offset: 0 });
      expect(new TextDecoder().decode(received.body!)).toBe('{"a":1}');
      expect(Math.abs(received.timestampMs! - Date.now())).toBeLessThan(60_000);
    });

    it("tell tombstones from empty values, and absent keys from empty ones", async () => {
      const topic = `tombstones-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      await transport.publish([
        message(topic, { body: null, key: "" }),
        message(topic, { body: "" }),
        message(topic, { body: new Uint8Array(0), key: "a\0b" }),
      ]);
      const received = (await read(topic, 3)).map((each) => each.message);
      expect(received.map((each) => each.body?.byteLength ?? null)).toEqual([null, 0, 0]);
      expect(received.map((each) => each.key)).toEqual(["", undefined, "a\0b"]);
    });

    it("go to the partitions Java's clients choose", async () => {
      for (const [column, partitions] of [4, 7, 12].entries()) {
        const topic = `murmur-${partitions}-${randomUUID()}`;
        await broker.createTopic(topic, partitions);
        const outcomes = await transport.publish(Object.keys(javaPartitions).map((key) => message(topic, { key })));
        const chosen = outcomes.map((each) => (each.stored ? each.at.partition : each.error));
        expect(chosen).toEqual(Object.values(javaPartitions).map((row) => row[column]));
      }
    });

    it("may have 10 MiB, and no byte more", async () => {
      const topic = `large-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const body = new Uint8Array(10 * MiB - 1).fill(7);
      const [fits, not] = await transport.publish([
        message(topic, { body, key: "k" }),
        message(topic, { body, key: "kk" }),
      ]);
      expect(fits).toMatchObject({ stored: true });
      expect(not).toMatchObject({ stored: false, outcome: "failed", retrySafe: true, error: { code: "too-large" } });
      const [received] = (await read(topic, 1)) as [Delivery];
      expect(received.message.body?.byteLength).toBe(body.byteLength);
    });

    it("are refused one by one where the topic allows less", async () => {
      const topic = `small-${randomUUID()}`;
      await broker.createTopic(topic, 1, { "max.message.bytes": "1000" });
      // Random bytes: the bound holds for what is compressed.
      const body = crypto.getRandomValues(new Uint8Array(20_000));
      const [refused] = await transport.publish([message(topic, { body })]);
      expect(refused).toMatchObject({ stored: false, outcome: "failed", error: { code: "too-large" } });
      expect(await transport.publish([message(topic)])).toMatchObject([{ stored: true }]);
    });

    it("are refused for a topic name Kafka does not take, beside others that are stored", async () => {
      const topic = `beside-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const outcomes = await transport.publish([message(topic), message("no such/topic"), message(topic)]);
      expect(outcomes).toMatchObject([
        { stored: true },
        { stored: false, outcome: "failed", error: { code: "invalid-destination" } },
        { stored: true },
      ]);
    });

    it("keep their order within a partition over 5,000 posted and published in turn", async () => {
      const topic = `order-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      const publishing: Promise<unknown>[] = [];
      for (let n = 0; n < 5_000; n++) {
        const each = message(topic, { body: String(n), key: "k" });
        if (n % 10 === 0) publishing.push(transport.publish([each]));
        else expect(transport.post!(each)).toBe(true);
      }
      await Promise.all(publishing);
      await transport.flush!();
      expect(transport.health()).toEqual({ state: "connected", buffered: 0, bufferedBytes: 0 });
      const received = (await read(topic, 5_000)).map((each) => Number(new TextDecoder().decode(each.message.body!)));
      expect(received).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
    });
  });

  describe("a broker that is not there", () => {
    it("is reported by its address within the deadline, for publish and consume, without the password", async () => {
      const sasl = { mechanism: "plain", username: "shop", password: "hunter2" } as const;
      const driver = driverOf(name, { brokers: "127.0.0.1:1", connectTimeoutMs: 500, sasl });
      const lost = kafkaTransport({ driver });
      const [outcome] = await lost.publish([message("t")]);
      expect(outcome).toMatchObject({
        stored: false,
        outcome: "failed",
        retrySafe: true,
        error: { code: "unreachable" },
      });
      const { error } = outcome as { error: Error };
      expect(error.message).toContain("127.0.0.1:1");
      expect(JSON.stringify([error.message, String(error.cause), error.stack])).not.toContain("hunter2");
      const sink = { deliver: () => undefined, revoke: async () => undefined, failed: () => undefined };
      await expect(lost.consume({ destinations: ["t"], from: "new" }, sink)).rejects.toMatchObject({
        code: "unreachable",
      });
      expect(await lost.close()).toEqual({ unsent: 0, unsettled: 0 });
    });

    it("comes back: what was published meanwhile is stored once, and in order", async () => {
      const topic = `outage-${randomUUID()}`;
      await broker.createTopic(topic, 1);
      await transport.publish([message(topic, { body: "0" })]);
      const seen: string[] = [];
      const stop = transport.onStatus((status) => void seen.push(status.type));
      await broker.kill();
      const publishing = [1, 2, 3].map((n) => transport.publish([message(topic, { body: String(n) })]));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(transport.health()).toMatchObject({ state: "disconnected", buffered: 3 });
      await broker.restart();
      for (const each of await Promise.all(publishing)) expect(each).toMatchObject([{ stored: true }]);
      const bodies = (await read(topic, 4)).map((each) => new TextDecoder().decode(each.message.body!));
      expect(bodies).toEqual(["0", "1", "2", "3"]);
      await vi.waitFor(() => expect(seen).toEqual(["disconnected", "connected"]), 5_000);
      stop();
    });
  });
}
