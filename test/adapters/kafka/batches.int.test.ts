import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type BatchEntry, createEventBus, type EventBus, EventError } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";

const keys = 40;
const perKey = 100;
const total = keys * perKey;
let broker: KafkaBroker;
const open: EventBus[] = [];

beforeAll(async () => {
  broker = await startKafka();
});
afterAll(async () => {
  await Promise.all(open.map((bus) => bus.close({ deadlineMs: 1_000 })));
  await broker?.stop();
});

function busOf(errors: EventError[] = []): EventBus {
  const kafka = kafkaTransport({ driver: confluentDriver({ brokers: broker.brokers }), commitIntervalMs: 100 });
  const bus: EventBus = createEventBus({ source: "/batches", transports: { kafka } });
  bus.onError((error) => errors.push(error));
  open.push(bus);
  return bus;
}

/** How many first occurrences come after a later event of their key. */
function disorder(names: readonly string[]): number {
  const highest = new Map<string, number>();
  let late = 0;
  for (const name of new Set(names)) {
    const [key, n] = name.split(" ") as [string, string];
    if (Number(n) < (highest.get(key) ?? -1)) late++;
    else highest.set(key, Number(n));
  }
  return late;
}

test("batches of a group lose nothing and keep each key's order, while events fail and a member joins and leaves", async () => {
  const topic = `t-${randomUUID()}`;
  await broker.createTopic(topic, 6);
  const publisher = busOf();
  for (let n = 0; n < perKey; n++) {
    const items = Array.from({ length: keys }, (_, k) => ({ type: topic, data: { n }, key: `k${k}` }));
    for (const result of await publisher.publishAll(items)) if (result instanceof EventError) throw result;
  }
  const errors: EventError[] = [];
  const sizes: number[] = [];
  /** What handlers were given, and of that what they did not fail, in order. */
  const given: string[] = [];
  const handled: string[] = [];
  const failed = new Set<string>();
  let batches = 0;
  const handler = async (entries: readonly BatchEntry[]): Promise<void> => {
    sizes.push(entries.length);
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (++batches === 3) throw new Error("the whole batch");
    for (const { event, delivery } of entries) {
      const name = `${delivery.key} ${(event.data as { n: number }).n}`;
      given.push(name);
      // One event of each key fails once, in the middle of its batch.
      if (name.endsWith(" 50") && !failed.has(name)) {
        failed.add(name);
        delivery.fail(new Error(name));
      } else handled.push(name);
    }
  };
  const options = { group: "g", batch: { maxEvents: 64, maxWaitMs: 50 }, concurrency: 2 };
  await busOf(errors).subscribe(topic, handler, options);
  await vi.waitFor(() => expect(handled.length).toBeGreaterThan(300), { timeout: 60_000 });
  const second = busOf(errors);
  await second.subscribe(topic, handler, options);
  await vi.waitFor(() => expect(new Set(handled).size).toBeGreaterThan(1_500), { timeout: 60_000 });
  expect(await second.close()).toEqual({ unsent: 0, unsettled: 0 });
  await vi.waitFor(() => expect(new Set(handled).size).toBe(total), { timeout: 100_000 });
  // First occurrences come in order; and after a failure what follows it comes again behind it, so last ones do, too.
  expect([disorder(given), disorder(handled.toReversed()), failed.size]).toEqual([0, total - keys, keys]);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
  expect(sizes.length).toBeLessThan(total / 4);
  // `fenced`: settled beyond what a partition that went gave back, so it came again.
  expect(errors.filter(({ code }) => code !== "handler-failed" && code !== "fenced")).toEqual([]);
  expect(await open[1]!.close()).toEqual({ unsent: 0, unsettled: 0 });

  // Everything is committed: the next member gets only what comes then.
  const next: unknown[] = [];
  const after = busOf();
  await after.subscribe(topic, (entries) => void next.push(...entries.map(({ event }) => event.data)), options);
  await after.publish(topic, { n: "new" }, { key: "k0" });
  await vi.waitFor(() => expect(next).toEqual([{ n: "new" }]), { timeout: 30_000 });
}, 240_000);
