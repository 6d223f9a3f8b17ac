import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createEventBus, EventError } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";

const memberFile = fileURLToPath(new URL("./group-member.ts", import.meta.url));
const node24 = fileURLToPath(new URL("../../.cache/tools/runtimes/bin/node24", import.meta.url));
const keys = 200;
const perKey = 100;
const total = keys * perKey;
const members: ChildProcess[] = [];
let kafka: KafkaBroker;
let folder: string;

beforeAll(async () => {
  kafka = await startKafka();
  folder = await mkdtemp(join(tmpdir(), "waybill-e2e-"));
});
afterAll(async () => {
  for (const member of members) member.kill("SIGKILL");
  await kafka?.stop();
  await rm(folder, { recursive: true, force: true });
});

const drivers = ["confluent", "platformatic"] as const;
const rebalances = ["eager", "cooperative", "KIP-848"] as const;
const cases = drivers.flatMap((driver) => rebalances.map((rebalance) => ({ driver, rebalance })));
const title = `${total} keyed events: none is skipped and keys keep their order while a member is killed and one joins`;

test.each(cases)(`${title}: $driver, $rebalance`, async ({ driver, rebalance }) => {
  const topic = `keyed-orders-${driver}-${rebalance}`;
  await kafka.createTopic(topic, 6);
  const file = join(folder, topic);
  await writeFile(file, "");
  const handled = async (): Promise<[key: string, n: number][]> => {
    const lines = (await readFile(file, "utf8")).split("\n").filter(Boolean);
    return lines.map((line) => [line.split(" ")[0]!, Number(line.split(" ")[1])]);
  };
  const enter = async (): Promise<ChildProcess> => {
    const args = ["--import", "tsx", memberFile, driver, rebalance, kafka.brokers, topic, file];
    const member = spawn(driver === "confluent" ? process.execPath : node24, args, {
      stdio: ["ignore", "pipe", "inherit"],
    });
    members.push(member);
    await once(member.stdout!, "data");
    return member;
  };
  const [first] = await Promise.all([enter(), enter()]);
  const publisher = kafkaTransport({ driver: confluentDriver({ brokers: [kafka.brokers] }) });
  await using bus = createEventBus({ source: "/publisher", transports: { kafka: publisher } });
  const publishing = (async () => {
    for (let n = 0; n < perKey; n++) {
      const items = Array.from({ length: keys }, (_, k) => ({ type: topic, data: { n }, key: `key-${k}` }));
      for (const result of await bus.publishAll(items)) if (result instanceof EventError) throw result;
    }
  })();
  await vi.waitFor(async () => expect((await handled()).length).toBeGreaterThan(4_000), { timeout: 60_000 });
  first!.kill("SIGKILL");
  const killedAt = (await handled()).length;
  expect(killedAt).toBeLessThan(total - 1_000);
  await Promise.all([enter(), publishing]);
  await vi.waitFor(async () => expect(new Set((await handled()).map((entry) => entry.join(" "))).size).toBe(total), {
    timeout: 120_000,
    interval: 250,
  });

  // First occurrences of each key are in the order of publication; repeats may come from the kill.
  const next = new Map<string, number>();
  const late: string[] = [];
  const seen = new Set<string>();
  for (const [key, n] of await handled()) {
    if (seen.has(`${key} ${n}`)) continue;
    seen.add(`${key} ${n}`);
    if (n !== (next.get(key) ?? 0)) late.push(`${key} ${n}`);
    next.set(key, n + 1);
  }
  expect(late).toEqual([]);
  const ends = members.slice(1).map((member) => once(member, "exit"));
  for (const member of members.slice(1)) member.kill("SIGTERM");
  for (const [code] of await Promise.all(ends)) expect(code).toBe(0);
  members.length = 0;
});
