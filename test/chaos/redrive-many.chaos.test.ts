import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { OutgoingMessage, Transport } from "waybill";
import type { RedriveReport } from "waybill/dead-letter";
import { startKafka } from "../support/kafka-broker.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { letterOf, openTransport, type Place, type RunnerLine, type RunnerSettings } from "./redrive-many.ts";
import { report, seeded, sized } from "./support/chaos.ts";

/** So many that a run which does 8,000 in a second is not over before it is killed. */
const letters = sized(4_000, 100_000);
/** What is left after two kills goes by this rate: in full size for longer than ten seconds. */
const rate = 1_000;
const destination = "orders.many";
const inBatch = 1_000;
/** Longer than any wait for a turn, and so short that one more within the stretch leaves its rate as it is. */
const pauseMs = 1_000;
const MiB = 1024 * 1024;

/** What a process that redrives has said. */
interface Run {
  readonly report: RedriveReport | undefined;
  /** Copies per second, over what it told between a second after its first copy and its end. */
  readonly perSecond: number;
  /** After a collection of garbage, by part of the run. */
  readonly heapBytes: ReadonlyMap<number, number>;
}

/** Runs it until it has ended or was killed. */
async function redrive(settings: RunnerSettings): Promise<Run> {
  const script = fileURLToPath(new URL("./redrive-many-runner.ts", import.meta.url));
  const args = ["--expose-gc", "--import", "tsx", script, JSON.stringify(settings)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise<string | number | null>((resolve) => child.once("exit", (code, by) => resolve(by ?? code)));
  const told: { redriven: number; atMs: number }[] = [];
  const heapBytes = new Map<number, number>();
  let done: RedriveReport | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as RunnerLine;
    if ("report" in said) done = said.report;
    else if ("part" in said) heapBytes.set(said.part, said.heapBytes);
    else told.push(said);
  }
  expect(await gone).toBe(settings.killAt ? "SIGKILL" : 0);
  const first = told.find(({ redriven }) => redriven > 0);
  const last = told.findLast(({ redriven }, at) => redriven > (told[at - 1]?.redriven ?? 0));
  const perSecond = first && last ? ((last.redriven - first.redriven) * 1_000) / (last.atMs - first.atMs) : Number.NaN;
  return { report: done, perSecond, heapBytes };
}

async function storeLetters(transport: Transport): Promise<Set<string>> {
  const provided = await transport.ensure!({ role: "dead-letter", source: destination });
  const ids = new Set<string>();
  for (let from = 0; from < letters; from += inBatch) {
    const batch: OutgoingMessage[] = [];
    for (let n = from; n < Math.min(letters, from + inBatch); n++) {
      const { id, letter } = letterOf(transport, destination, provided.of(destination), n);
      ids.add(id);
      batch.push(letter);
    }
    for (const outcome of await transport.publish(batch)) expect(outcome.stored).toBe(true);
  }
  return ids;
}

/** Copies by letter, and when each was stored. */
async function readCopies(transport: Transport) {
  const copies = new Map<string, number>();
  const storedMs: number[] = [];
  for await (const { headers, timestampMs } of transport.read!({ destination })) {
    const letter = headers.get("waybill-redrive-letter")!;
    copies.set(letter, (copies.get(letter) ?? 0) + 1);
    storedMs.push(timestampMs!);
  }
  return { copies, storedMs };
}

/** The longest stretch without a pause of times in rising order. */
function longestStretch(timesMs: readonly number[]): readonly number[] {
  let longest: readonly number[] = [];
  let from = 0;
  for (let to = 1; to <= timesMs.length; to++) {
    if (to < timesMs.length && timesMs[to]! - timesMs[to - 1]! <= pauseMs) continue;
    if (to - from > longest.length) longest = timesMs.slice(from, to);
    from = to;
  }
  return longest;
}

async function redriveAll(place: Place): Promise<void> {
  const { integer } = seeded(`redrive, ${place.broker}`);
  const { transport, close } = await openTransport(place);
  const ids = await storeLetters(transport);
  const settings = { place, destination, letters };
  const killed: Run[] = [];
  for (const part of [sized(0.15, 0.3), sized(0.12, 0.25)]) {
    // A run begins anew: what it tells does not count the copies before it.
    const copies = Math.floor(part * letters * (0.5 + integer(500) / 1_000));
    killed.push(await redrive({ ...settings, killAt: { copies, delayMs: integer(sized(50, 100)) } }));
  }
  const before = await readCopies(transport);
  const last = await redrive({ ...settings, rate });
  const { copies, storedMs } = await readCopies(transport);
  const ofLast = storedMs.sort((a, b) => a - b).slice(before.storedMs.length);
  await close();

  const times = [...copies.values()];
  // What dead runs had claimed is sent when it is met, before a pause in which what they had done is passed over, or
  // behind the rest, when they count as dead.
  const steady = longestStretch(ofLast);
  const seconds = (steady.at(-1)! - steady[0]!) / 1_000;
  const measured = (steady.length - 1) / seconds;
  const [early = 0, late = 0] = [last.heapBytes.get(0.2), last.heapBytes.get(0.9)];
  report(7, place.broker, {
    letters,
    copies: times.reduce((sum, each) => sum + each, 0),
    twice: times.filter((each) => each > 1).length,
    missing: [...ids].filter((id) => !copies.has(id)).length,
    "copies per second without a rate": killed.map(({ perSecond }) => Math.round(perSecond)).join(" and "),
    "rate asked": rate,
    "rate measured": Math.round(measured),
    "measured over seconds": Math.round(seconds),
    "heap at 20 %, MiB": Math.round(early / MiB),
    "heap at 90 %, MiB": Math.round(late / MiB),
  });
  expect([...ids].filter((id) => copies.get(id) !== 1)).toEqual([]);
  expect(copies.size).toBe(letters);
  expect(last.report).toMatchObject({ uncertain: 0, failed: 0 });
  expect(last.report!.redriven + before.copies.size).toBeGreaterThanOrEqual(letters);
  if (!sized(0, 1)) return;
  expect(seconds).toBeGreaterThan(10);
  expect(measured / rate).toBeGreaterThan(0.95);
  expect(measured / rate).toBeLessThan(1.05);
  expect(late - early).toBeLessThan(Math.max(20 * MiB, 0.2 * early));
}

describe("a redrive that is killed twice sends each letter's copy once", () => {
  test("over JetStream", async () => {
    await using server = await startNatsServer({ jetstream: true });
    await redriveAll({ broker: "jetstream", port: server.port });
  });

  test("over Kafka", async () => {
    const kafka = await startKafka();
    try {
      await kafka.createTopic(destination, 4);
      await redriveAll({ broker: "kafka", brokers: kafka.brokers });
    } finally {
      await kafka.stop();
    }
  });
});
