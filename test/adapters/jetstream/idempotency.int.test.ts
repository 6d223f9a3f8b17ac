import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus } from "waybill";
import { jetstreamIdempotency } from "waybill/jetstream";
import { memoryTransport } from "waybill/memory";
import { natsTransport } from "waybill/nats";
import { fakeClock } from "waybill/testing";
import { idempotencyCases } from "../../core/delivery/idempotency-cases.ts";
import { type JetStreamSetup, startJetStream } from "./setup.ts";

let setup: JetStreamSetup;
beforeAll(async () => {
  setup = await startJetStream();
});
afterAll(() => setup?.[Symbol.asyncDispose]());

let buckets = 0;

test.each(idempotencyCases)("claims in a bucket: $title", async ({ run }) => {
  const [one, other] = [await setup.transport(), await setup.transport()];
  const clock = fakeClock();
  const bucket = `case-${buckets++}`;
  const keepMs = 3_600_000;
  await run({
    first: jetstreamIdempotency({ transport: one, bucket, keepMs, clock }),
    second: jetstreamIdempotency({ transport: other, bucket, keepMs, clock }),
    clock,
  });
  await Promise.all([one.close(), other.close()]);
});

test("sixteen members that claim a hundred keys at once get each once", async () => {
  const transports = await Promise.all([1, 2, 3, 4].map(() => setup.transport()));
  const stores = [...transports, ...transports, ...transports, ...transports].map((transport) =>
    jetstreamIdempotency({ transport, bucket: "crowd" }),
  );
  const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`);
  const won = await Promise.all(
    stores.map(async (store) => {
      const claims = await Promise.all(keys.map((key) => store.claim(key, { leaseMs: 60_000 })));
      return keys.filter((_, n) => claims[n]!.state === "claimed");
    }),
  );
  expect(won.flat().sort()).toEqual([...keys].sort());
  for (const transport of transports) await transport.close();
});

test("the bucket is opened with the first claim, once, and forgets after keepMs", async () => {
  const transport = await setup.transport();
  const store = jetstreamIdempotency({ transport, bucket: "opened-late", keepMs: 86_400_000 });
  const streams = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { config } of setup.manager.streams.list()) names.push(config.name);
    return names;
  };
  expect(await streams()).not.toContain("KV_opened-late");
  await Promise.all([1, 2, 3].map((n) => store.claim(`k${n}`, { leaseMs: 1_000 })));
  expect(await streams()).toContain("KV_opened-late");
  const { config } = await setup.manager.streams.info("KV_opened-late");
  expect(config.max_age).toBe(86_400_000 * 1e6);
  await transport.close();
});

test("what cannot be kept is refused", async () => {
  const transport = await setup.transport();
  const store = jetstreamIdempotency({ transport, bucket: "short", keepMs: 1_000 });
  const refused = expect.objectContaining({ code: "invalid-option" });
  await expect(store.commit("k", "token", { keepMs: 1_001 })).rejects.toEqual(refused);
  expect(() => jetstreamIdempotency({ transport, keepMs: 0 })).toThrow(refused);
  const core = natsTransport({ connection: await setup.connect() });
  expect(() => jetstreamIdempotency({ transport: core })).toThrow(expect.objectContaining({ code: "unsupported" }));
  await Promise.all([transport.close(), core.close()]);
});

test("a bucket that could not be opened is asked for again", async () => {
  const memory = memoryTransport();
  let fails = true;
  const transport = {
    ...memory,
    openState: async (name: string) => {
      if (fails) throw new Error("not now");
      return memory.openState!(name);
    },
  };
  const store = jetstreamIdempotency({ transport });
  await expect(store.claim("k", { leaseMs: 1 })).rejects.toMatchObject({ code: "transport-failed", retryable: true });
  fails = false;
  expect(await store.claim("k", { leaseMs: 1 })).toMatchObject({ state: "claimed" });
});

test("a group handles an event once, also when its acknowledgement was lost", async () => {
  const streams = [{ name: "ORDERS", subjects: ["orders.>"] }];
  const handled: string[] = [];
  const transport = await setup.transport({ streams, ackWaitMs: 1_000 });
  const bus = createEventBus({ source: "/shop", transports: { jetstream: transport } });
  const store = jetstreamIdempotency({ transport });
  const published = await bus.publish("orders.placed", { n: 1 });
  // As a member would leave it that died between its commit and its acknowledgement.
  const name = ["billing", "orders.placed", "id", "/shop", published.id].join("\n");
  const claim = await store.claim(name, { leaseMs: 10_000 });
  if (claim.state === "claimed") await store.commit(name, claim.token, { keepMs: 60_000 });
  await bus.subscribe("orders.placed", (event) => void handled.push(event.id), {
    group: "billing",
    idempotency: { store },
  });
  const next = await bus.publish("orders.placed", { n: 2 });
  while (handled.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await bus.flush();
  expect(handled).toEqual([next.id]);
  await bus.close();
});
