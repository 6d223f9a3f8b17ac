import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createEventBus, EventError } from "waybill";
import { type JetStreamSetup, startJetStream } from "./setup.ts";

const memberFile = fileURLToPath(new URL("./group-member.ts", import.meta.url));
const destination = "keyed.orders";
const keys = 50;
const perKey = 40;
const total = keys * perKey;
const partitions = 8;
const members: ChildProcess[] = [];
let js: JetStreamSetup;
let folder: string;

beforeAll(async () => {
  js = await startJetStream();
  folder = await mkdtemp(join(tmpdir(), "waybill-keys-"));
});
afterAll(async () => {
  for (const member of members) member.kill("SIGKILL");
  await js?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test(`${keys} keys over 3 members: first occurrences keep the order of each key while one member is killed`, async () => {
  const file = join(folder, "handled");
  await writeFile(file, "");
  const handled = async (): Promise<string[]> => (await readFile(file, "utf8")).split("\n").filter(Boolean);
  const enter = async (): Promise<ChildProcess> => {
    const args = ["--import", "tsx", memberFile, String(js.server.port), destination, String(partitions), "shop", file];
    const member = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    members.push(member);
    await once(member.stdout!, "data");
    return member;
  };
  const [first] = await Promise.all([enter(), enter(), enter()]);
  const streams = [{ name: "KEYS", subjects: [destination], partitions }];
  await using bus = createEventBus({
    source: "/publisher",
    transports: { jetstream: await js.transport({ streams }) },
  });
  const publishing = (async () => {
    for (let n = 0; n < perKey; n++) {
      const items = Array.from({ length: keys }, (_, k) => ({ type: destination, data: { n }, key: `key-${k}` }));
      for (const result of await bus.publishAll(items)) if (result instanceof EventError) throw result;
    }
  })();
  await vi.waitFor(async () => expect((await handled()).length).toBeGreaterThan(total / 4), { timeout: 60_000 });
  first!.kill("SIGKILL");
  const killedAt = (await handled()).length;
  expect(killedAt).toBeLessThan(total - 200);
  await publishing;
  await vi.waitFor(async () => expect(new Set(await handled()).size).toBe(total), { timeout: 100_000, interval: 250 });

  const next = new Map<string, number>();
  const late: string[] = [];
  for (const line of new Set(await handled())) {
    const [key, n] = line.split(" ") as [string, string];
    if (Number(n) !== (next.get(key) ?? 0)) late.push(line);
    next.set(key, Number(n) + 1);
  }
  expect(late).toEqual([]);
  const repeats = (await handled()).length - total;
  console.log(`killed one of 3 members after ${killedAt} of ${total} events: ${repeats} repeats, order kept`);
  // At most what the dead member had in hand: one event of each partition.
  expect(repeats).toBeLessThanOrEqual(partitions);
  const ends = members.slice(1).map((member) => once(member, "exit"));
  for (const member of members.slice(1)) member.kill("SIGTERM");
  for (const [code] of await Promise.all(ends)) expect(code).toBe(0);
});
