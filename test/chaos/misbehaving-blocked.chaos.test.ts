import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus, fixedBackoff, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { type JetStreamSetup, startJetStream } from "../adapters/jetstream/setup.ts";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";
import type { MemberSettings } from "./misbehaving-member.ts";
import { publishAll } from "./places.ts";
import { lettersOf } from "./poison-run.ts";
import { report, sized, until } from "./support/chaos.ts";

const memberFile = fileURLToPath(new URL("./misbehaving-member.ts", import.meta.url));
const blockMs = sized(9_000, 90_000);
const patienceMs = sized(3_000, 30_000);
const events = 40;
const members: ChildProcess[] = [];
let js: JetStreamSetup;
let broker: KafkaBroker;
let folder: string;

beforeAll(async () => {
  [js, broker] = await Promise.all([startJetStream(), startKafka()]);
  folder = await mkdtemp(join(tmpdir(), "waybill-blocked-"));
});
afterAll(async () => {
  for (const member of members) member.kill("SIGKILL");
  await Promise.all([js?.[Symbol.asyncDispose](), broker?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** What became of a group one of whose members stood still for {@link blockMs}. */
interface Outcome {
  /** When the other member had handled everything, since the block began; undefined: not before it ended. */
  readonly coveredMs: number | undefined;
  readonly repeats: number;
}

async function standStill(
  name: string,
  broken: Pick<MemberSettings, "port" | "brokers" | "streams" | "polls">,
  destination: string,
  transport: Transport,
): Promise<Outcome> {
  const file = join(folder, name.replaceAll(" ", "-"));
  // Its own: Kafka's groups know no topics, and a member that stands still in one would hold up the rebalance of both.
  const group = `billing-${destination}`;
  await writeFile(file, "");
  const lines = async (): Promise<string[]> => (await readFile(file, "utf8")).split("\n").filter(Boolean);
  const numbers = async (what: string): Promise<number[]> =>
    (await lines()).filter((line) => line.startsWith(`${what} `)).map((line) => Number(line.split(" ")[1]));
  const bus = createEventBus({ source: "/chaos", transports: { on: transport } });
  const own: number[] = [];
  await bus.subscribe("order.placed", ({ data }) => void own.push((data as { n: number }).n), {
    ...{ destination, group, retry: { attempts: 2, backoff: fixedBackoff(10) }, deadLetter: true },
  });
  const settings: MemberSettings = { ...broken, patienceMs, destination, group, blockMs, file };
  const member = spawn(process.execPath, ["--import", "tsx", memberFile, JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  members.push(member);
  await once(member.stdout!, "data");
  let next = 0;
  const publish = (count: number): Promise<void> => {
    const items = Array.from({ length: count }, () => {
      const n = next++;
      return { type: "order.placed", data: { n }, key: `key-${n}`, destination };
    });
    return publishAll(bus, items);
  };
  await until("the member stands still", async () => {
    await publish(1);
    return (await numbers("begin")).length > 0;
  });
  const startMs = Date.now();
  await publish(events);
  const awake = async (): Promise<boolean> => (await lines()).includes("awake");
  let coveredMs: number | undefined;
  await until(
    "the others handle everything, or it goes on",
    async () => {
      // Whatever the member had in hand as well, its first event included.
      const all = new Set([...own, ...(await numbers("handled"))]).size === next;
      if (all && !(await awake())) coveredMs = Date.now() - startMs;
      return coveredMs !== undefined || (await awake());
    },
    blockMs + 60_000,
  );
  await until("it wakes up", awake, blockMs + 60_000);
  const before = next;
  await until("it takes part again", async () => {
    await publish(10);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return (await numbers("handled")).some((n) => n >= before);
  });
  await until("nothing is lost", async () => new Set([...own, ...(await numbers("handled"))]).size === next);
  const letters = await createDeadLetterQueue({ bus, destination });
  expect(await lettersOf(letters)).toEqual([]);
  const handled = [...own, ...(await numbers("handled"))];
  const end = once(member, "exit");
  member.kill("SIGTERM");
  expect(await end).toEqual([0, null]);
  await bus.close();
  const outcome = { coveredMs, repeats: handled.length - next };
  report(5, `${name}: event loop blocked ${blockMs} ms, the broker's patience ${patienceMs} ms`, {
    "others have it all after, ms": coveredMs ?? "not before it wakes up",
    "handled twice": outcome.repeats,
    lost: 0,
  });
  return outcome;
}

const kafka = (): Transport =>
  kafkaTransport({
    driver: confluentDriver({ brokers: broker.brokers, sessionTimeoutMs: patienceMs }),
    ...{ commitIntervalMs: 100, drainMs: 500 },
  });

test(`an event loop that is blocked for ${blockMs} ms costs its member what it had: others go on, nothing is lost`, async () => {
  const streams = [
    { name: "PLAIN", subjects: ["plain"] },
    { name: "KEYED", subjects: ["keyed"], partitions: 4 },
  ];
  await Promise.all([broker.createTopic("polls", 4), broker.createTopic("lives", 4)]);
  const jetstream = async (): Promise<Transport> =>
    jetstreamTransport({ connection: await js.connect(), streams, ackWaitMs: patienceMs });
  const nats = { port: js.server.port, streams };
  const { brokers } = broker;
  const [plain, keyed, polls, lives] = await Promise.all([
    standStill("JetStream", nats, "plain", await jetstream()),
    standStill("JetStream with partitions", nats, "keyed", await jetstream()),
    standStill("Kafka, max.poll.interval.ms set", { brokers, polls: true }, "polls", kafka()),
    standStill("Kafka", { brokers }, "lives", kafka()),
  ]);
  for (const { coveredMs } of [plain, polls]) expect(coveredMs).toBeLessThan(blockMs);
  // The server also hands a partition's event to what the silent member had asked for, which it forgets after 30 s.
  if (blockMs > patienceMs + 30_000) expect(keyed.coveredMs).toBeLessThan(blockMs);
  // What the member had in hand when it stood still: it is handled by another, and by itself when it wakes up.
  for (const { repeats } of [plain, keyed, polls]) expect(repeats).toBeGreaterThan(0);
  // librdkafka tells the broker from a thread of its own that the member lives.
  expect(lives).toEqual({ coveredMs: undefined, repeats: 0 });
});
