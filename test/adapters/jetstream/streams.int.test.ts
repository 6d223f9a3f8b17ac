import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { jetstreamTransport, workQueueStream } from "../../../adapters/jetstream/index.ts";
import type { IncomingMessage } from "../../../core/message.ts";
import { collectingSink, pause, until } from "../nats/sink.ts";
import { type JetStreamSetup, message, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

const bodyOf = ({ body }: IncomingMessage): string => new TextDecoder().decode(body!);

describe("streams that a transport provides", () => {
  test("workQueueStream makes the guide's stream: work queue, 24 hours, on disk", async () => {
    const transport = await js.transport({ streams: [workQueueStream("QUEUE", ["queue.>"])] });
    const [outcome] = await transport.publish([message("queue.a", "1")]);
    expect(outcome).toEqual({ stored: true, at: { sequence: 1 } });
    const { config } = await js.manager.streams.info("QUEUE");
    expect(config).toMatchObject({
      name: "QUEUE",
      subjects: ["queue.>"],
      retention: "workqueue",
      max_age: 24 * 3_600 * 1e9,
      storage: "file",
      num_replicas: 1,
      duplicate_window: 120e9,
    });
    await transport.close();
  });

  test("a work queue removes what is settled, has one group per subject, and says so to others", async () => {
    const transport = await js.transport({ streams: [workQueueStream("QUEUE", ["queue.>"])] });
    const sink = collectingSink();
    const subscription = await transport.consume({ destinations: ["queue.a"], group: "g", from: "earliest" }, sink);
    subscription.credit(1);
    await until(() => sink.deliveries.length === 1);
    await sink.deliveries[0]!.settle({ kind: "ack" });
    expect((await js.manager.streams.info("QUEUE")).state.messages).toBe(0);
    for (const source of [
      { destinations: ["queue.>"], group: "h", from: "earliest" },
      { destinations: ["queue.b"], group: "h", from: "new" },
    ]) {
      await expect(transport.consume(source, collectingSink())).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining("work queue QUEUE"),
      });
    }
    await transport.close();
  });

  test("verifies a stream that exists, names the field that differs, and changes nothing", async () => {
    await js.manager.streams.add({ name: "KEPT", subjects: ["kept.a"], max_bytes: 1_000_000 });
    const before = (await js.manager.streams.info("KEPT")).config;
    const same = await js.transport({ streams: [{ name: "KEPT", subjects: ["kept.a"], maxBytes: 1_000_000 }] });
    expect(await same.publish([message("kept.a", "1")])).toMatchObject([{ stored: true }]);
    for (const [spec, field] of [
      [{ subjects: ["kept.b"] }, /subjects \["kept.a"\], wanted is \["kept.b"\]/],
      [{ subjects: ["kept.a"], maxBytes: 5 }, /max_bytes 1000000, wanted is 5/],
      [{ subjects: ["kept.a"], retention: "interest" }, /retention "limits", wanted is "interest"/],
      [{ subjects: ["kept.a"], maxAgeMs: 1_000 }, /max_age 0, wanted is 1000000000/],
      [{ subjects: ["kept.a"], storage: "memory" }, /storage "file", wanted is "memory"/],
      [{ subjects: ["kept.a"], replicas: 3 }, /num_replicas 1, wanted is 3/],
      [{ subjects: ["kept.a"], duplicateWindowMs: 60_000 }, /duplicate_window 120000000000, wanted is 60000000000/],
    ] as const) {
      const other = await js.transport({ streams: [{ name: "KEPT", ...spec }] });
      const mismatch = { code: "configuration-mismatch", retryable: false, message: expect.stringMatching(field) };
      expect(await other.publish([message("kept.a", "2")])).toMatchObject([{ outcome: "failed", error: mismatch }]);
      const source = { destinations: ["kept.a"], group: "g", from: "earliest" };
      await expect(other.consume(source, collectingSink())).rejects.toMatchObject(mismatch);
      await other.close();
    }
    expect((await js.manager.streams.info("KEPT")).config).toEqual(before);
    await same.close();
  });

  test("members that start together provide the same stream", async () => {
    const spec = { name: "TOGETHER", subjects: ["together.>"], partitions: 3, maxAgeMs: 3_600_000 };
    const transports = await Promise.all([1, 2, 3, 4].map(() => js.transport({ streams: [spec] })));
    const outcomes = await Promise.all(transports.map((each) => each.publish([message("together.a", "1")])));
    expect(outcomes.flat().every(({ stored }) => stored)).toBe(true);
    const other = await js.transport({ streams: [{ ...spec, partitions: 4 }] });
    const [refused] = await other.publish([message("together.a", "1")]);
    expect(refused).toMatchObject({ error: { message: expect.stringContaining("partitions 3, wanted is 4") } });
    for (const each of [...transports, other]) await each.close();
  });

  test("what waits for a stream expires rather than hangs where there is no JetStream", async () => {
    const { startNatsServer } = await import("../../support/nats-server.ts");
    await using plain = await startNatsServer();
    const connection = await js.connect(plain.port);
    const streams = [{ name: "X", subjects: ["x"] }];
    const transport = jetstreamTransport({ connection, streams, buffer: { maxAgeMs: 1_000 } });
    expect(await transport.publish([message("x", "1")])).toMatchObject([
      { outcome: "failed", retrySafe: true, error: { code: "buffer-expired" } },
    ]);
    const source = { destinations: ["x"], group: "g", from: "earliest" };
    await expect(transport.consume(source, collectingSink())).rejects.toMatchObject({ code: "unreachable" });
    await transport.close();
    await connection.close();
  });
});

describe("reading what is stored", () => {
  test("yields all of a large stream in order, holds little, ends, and leaves nothing behind", async () => {
    await js.manager.streams.add({ name: "READ", subjects: ["read.>"] });
    const transport = await js.transport();
    const total = 20_000;
    const messages = Array.from({ length: total }, (_, n) => message(n % 2 ? "read.odd" : "read.even", String(n)));
    await transport.publish(messages);
    let expected = 1;
    let later = 0;
    for await (const each of transport.read!({ destination: "read.odd" })) {
      expect(bodyOf(each)).toBe(String(expected));
      expected += 2;
      // What comes meanwhile is not waited for.
      if (expected % 1_000 === 1) transport.post!(message("read.odd", `later ${later++}`));
    }
    expect(expected).toBe(total + 1);
    const some: string[] = [];
    for await (const each of transport.read!({ destination: "read.>", from: String(total - 2) }))
      some.push(bodyOf(each));
    expect(some.slice(0, 3)).toEqual([String(total - 3), String(total - 2), String(total - 1)]);
    for await (const each of transport.read!({ destination: "read.even" })) {
      expect(bodyOf(each)).toBe("0");
      break;
    }
    const none = transport.read!({ destination: "read.nothing" });
    expect(await none[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
    expect((await js.manager.streams.info("READ")).state.consumer_count).toBe(0);
    await transport.close();
  });

  test("goes on over another connection and misses nothing; an abort ends it", async () => {
    const transport = await js.transport({ heartbeatMs: 500 });
    const read: string[] = [];
    let killed = false;
    for await (const each of transport.read!({ destination: "read.even" })) {
      read.push(bodyOf(each));
      if (read.length === 3_000) {
        await js.server.kill();
        await js.server.restart();
        killed = true;
      }
    }
    expect(killed).toBe(true);
    expect(read).toEqual(Array.from({ length: 10_000 }, (_, n) => String(2 * n)));
    const controller = new AbortController();
    const aborted = (async () => {
      for await (const _ of transport.read!({ destination: "read.even", signal: controller.signal }))
        controller.abort();
    })();
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    await transport.close();
  });
});

describe("a bus over JetStream", () => {
  test("refuses order by key without partitions, and keeps it with them", async () => {
    const transport = await js.transport({ streams: [{ name: "PARTED", subjects: ["parted.>"], partitions: 4 }] });
    await using bus = createEventBus({ source: "/test", transports: { jetstream: transport } });
    await expect(bus.subscribe("read.odd", () => undefined, { group: "g", order: "key" })).rejects.toMatchObject({
      code: "unsupported",
    });
    const seen: string[] = [];
    const failed = new Set<string>();
    const handled = new Map<string, number[]>();
    await bus.subscribe(
      "parted.**",
      async (event, { key, destination, attempt }) => {
        const { n } = event.data as { n: number };
        expect(destination).toBe("parted.order");
        if (n === 1 && !failed.has(key!)) {
          failed.add(key!);
          throw new Error("comes again, in place");
        }
        await pause(Math.random() * 3);
        handled.set(key!, [...(handled.get(key!) ?? []), n]);
        seen.push(`${key} ${n} ${attempt}`);
      },
      { group: "g", concurrency: 8, order: "key" },
    );
    for (let n = 0; n < 5; n++) {
      for (const key of ["a", "b", "ü c"]) {
        const receipt = await bus.publish("parted.order", { n }, { key });
        expect(receipt.partition).toBeGreaterThanOrEqual(0);
      }
    }
    await until(() => seen.length === 15);
    for (const key of ["a", "b", "ü c"]) expect(handled.get(key)).toEqual([0, 1, 2, 3, 4]);
    expect(seen).toContain("ü c 1 2");
  });
});
