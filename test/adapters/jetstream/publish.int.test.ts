import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PublishOutcome } from "../../../core/transport.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { pause, until } from "../nats/sink.ts";
import { type JetStreamSetup, message, startJetStream } from "./setup.ts";

let js: JetStreamSetup;
beforeAll(async () => {
  js = await startJetStream();
});
afterAll(() => js[Symbol.asyncDispose]());

/** How often each body stands in a stream. */
async function stored(stream: string): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const add = () => js.manager.consumers.add(stream, { ack_policy: "none" as never, mem_storage: true });
  // The connection that looks behind the transport may still be dialling after a kill, and loses what it asks then.
  const consumer = await add().catch(() => add());
  let pending = consumer.num_pending;
  const { name } = consumer;
  const decoder = new TextDecoder();
  const inbox = `_INBOX.count.${crypto.randomUUID()}`;
  const subscription = js.connection.subscribe(inbox, {
    callback: (_, { data, reply }) => {
      if (!reply) return;
      const body = decoder.decode(data);
      times.set(body, (times.get(body) ?? 0) + 1);
      pending--;
    },
  });
  js.connection.publish(
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
    new TextEncoder().encode(`{"batch":${pending}}`),
    {
      reply: inbox,
    },
  );
  await until(() => pending <= 0, 60_000);
  subscription.unsubscribe();
  await js.manager.consumers.delete(stream, name);
  return times;
}

describe("publishing to JetStream", () => {
  test("answers with the sequence, and recognises the same id on the first send", async () => {
    await js.manager.streams.add({ name: "ids", subjects: ["ids.>"] });
    const transport = await js.transport();
    const [first] = await transport.publish([message("ids.a", "1", { dedupId: "x" })]);
    expect(first).toEqual({ stored: true, at: { sequence: 1 } });
    const again = await transport.publish([message("ids.a", "1", { dedupId: "x" }), message("ids.b", "2")]);
    expect(again).toEqual([
      { stored: true, at: { sequence: 1, duplicate: true } },
      { stored: true, at: { sequence: 2 } },
    ]);
    expect(await transport.close()).toEqual({ unsent: 0, unsettled: 0 });
  });

  test("fails what no stream takes, after some tries, and stores the rest of the batch", async () => {
    const transport = await js.transport();
    const outcomes = await transport.publish([message("nowhere.a", "1"), message("ids.c", "2")]);
    expect(outcomes[0]).toMatchObject({ outcome: "failed", retrySafe: true, error: { code: "no-responders" } });
    expect(outcomes[1]).toMatchObject({ stored: true });
    await transport.close();
  });

  test("waits for a stream that comes meanwhile", async () => {
    const transport = await js.transport();
    const waiting = transport.publish([message("late.a", "1")]);
    await pause(300);
    await js.manager.streams.add({ name: "late", subjects: ["late.>"] });
    expect(await waiting).toEqual([{ stored: true, at: { sequence: 1 } }]);
    await transport.close();
  });

  test("tells JetStream's own refusals with their number", async () => {
    await js.manager.streams.add({
      name: "small",
      subjects: ["small.>"],
      max_msg_size: 300,
      max_msgs: 1,
      discard: "new" as never,
    });
    const transport = await js.transport();
    const [large] = await transport.publish([message("small.a", "x".repeat(400))]);
    expect(large).toMatchObject({ outcome: "failed", error: { code: "too-large" } });
    expect((large as PublishOutcome & { stored: false }).error.message).toContain("err_code 10054");
    await transport.publish([message("small.a", "1")]);
    const [full] = await transport.publish([message("small.a", "2")]);
    expect(full).toMatchObject({
      outcome: "failed",
      retrySafe: true,
      error: { code: "transport-failed", retryable: true },
    });
    expect((full as PublishOutcome & { stored: false }).error.message).toContain("err_code 10077");
    await transport.close();
  });

  test("posts, flushes, and refuses what could never be sent", async () => {
    const transport = await js.transport();
    for (let n = 0; n < 500; n++) expect(transport.post!(message("ids.post", `post-${n}`))).toBe(true);
    await transport.flush!();
    expect(transport.health()).toEqual({ state: "connected", buffered: 0, bufferedBytes: 0 });
    expect(() => transport.post!(message("ids.*", "1"))).toThrow(
      expect.objectContaining({ code: "invalid-destination" }),
    );
    expect(() => transport.post!(message("ids.a", "x".repeat(2_000_000)))).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
    await transport.close();
    expect(() => transport.post!(message("ids.a", "1"))).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test("keeps the order of keys stored while 50 keys are pipelined", async () => {
    await js.manager.streams.add({ name: "keyed", subjects: ["keyed"] });
    const transport = await js.transport();
    await Promise.all(
      Array.from({ length: 2_000 }, (_, n) =>
        transport.publish([message("keyed", `${n % 50} ${Math.floor(n / 50)}`, { key: `k${n % 50}` })]),
      ),
    );
    const next = new Map<string, number>();
    for (const body of (await stored("keyed")).keys()) {
      const [key, n] = body.split(" ") as [string, string];
      expect(Number(n)).toBe(next.get(key) ?? 0);
      next.set(key, Number(n) + 1);
    }
    await transport.close();
  });

  test("loses nothing and stores nothing twice while the server is killed five times", async () => {
    await js.manager.streams.add({ name: "killed", subjects: ["killed"] });
    const transport = await js.transport();
    const outcomes: PublishOutcome[] = [];
    let sent = 0;
    let running = true;
    const publisher = async (): Promise<void> => {
      while (running) {
        const n = sent++;
        const given = { dedupId: `id-${n}`, ...(n % 4 === 0 && { key: `k${n % 16}` }) };
        outcomes.push(...(await transport.publish([message("killed", String(n), given)])));
      }
    };
    const publishers = Array.from({ length: 64 }, publisher);
    for (let kill = 0; kill < 5; kill++) {
      await pause(300);
      await js.server.kill();
      await pause(100);
      await js.server.restart();
      const before = outcomes.length;
      await until(() => outcomes.length > before + 100);
    }
    running = false;
    await Promise.all(publishers);
    expect(outcomes.filter(({ stored: is }) => !is)).toEqual([]);
    const found = await stored("killed");
    expect(found.size).toBe(sent);
    expect([...found.values()].filter((times) => times !== 1)).toEqual([]);
    expect(outcomes.filter((outcome) => outcome.stored && outcome.at.duplicate)).toEqual([]);
    console.log(`killed 5 times: ${sent} events, none lost, none twice`);
    await transport.close();
  });

  test("heals a half-open socket and stores once what waited", async () => {
    await js.manager.streams.add({ name: "half", subjects: ["half"] });
    await using proxy = await startTcpProxy(js.server.port);
    const transport = await js.transport({ connection: await js.connect(proxy.port), buffer: { stallMs: 1_000 } });
    await transport.publish([message("half", "before")]);
    proxy.mute();
    const waiting = transport.publish(Array.from({ length: 100 }, (_, n) => message("half", String(n))));
    await pause(200);
    proxy.heal();
    const outcomes = await waiting;
    // All were stored before the answers were lost, and none of the repeats was.
    expect(outcomes.every((outcome) => outcome.stored && !outcome.at.duplicate)).toBe(true);
    expect((await js.manager.streams.info("half")).state.messages).toBe(101);
    await transport.close();
  });

  test("says unknown, safe to repeat, of what expires without an answer", async () => {
    await using proxy = await startTcpProxy(js.server.port);
    const transport = await js.transport({ connection: await js.connect(proxy.port), buffer: { maxAgeMs: 1_000 } });
    await transport.publish([message("half", "warm")]);
    proxy.halfOpen();
    const [outcome] = await transport.publish([message("half", "lost", { dedupId: "lost" })]);
    expect(outcome).toMatchObject({ outcome: "unknown", retrySafe: true, error: { code: "buffer-expired" } });
    expect(await transport.close({ deadlineMs: 100 })).toEqual({ unsent: 0, unsettled: 0 });
  });

  test("stores 100,000 events of 16 publishers with 256 on their way, each once", async () => {
    await js.manager.streams.add({ name: "many", subjects: ["many.>"] });
    const transport = await js.transport();
    const total = 100_000;
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let n = next++; n < total; n = next++) {
        const [outcome] = await transport.publish([message(`many.${n % 8}`, String(n), { dedupId: `m-${n}` })]);
        if (!outcome!.stored || outcome!.at.duplicate) throw new Error(`event ${n}`);
      }
    };
    await Promise.all(Array.from({ length: 256 }, worker));
    const found = await stored("many");
    expect(found.size).toBe(total);
    expect([...found.values()].every((times) => times === 1)).toBe(true);
    await transport.close();
  });
});
