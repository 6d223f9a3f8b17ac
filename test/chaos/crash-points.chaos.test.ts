import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type PublishItem, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { postgresInbox } from "waybill/outbox";
import { type JetStreamSetup, startJetStream } from "../adapters/jetstream/setup.ts";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";
import { type CrashPoint, crashId, crashPoints, isPoison, type MemberSettings, readCrashes } from "./crash-points.ts";
import { report, seeded, sized, until } from "./support/chaos.ts";

const eventsPerPoint = sized(20, 200);
/** Each event at work may hold a connection of PostgreSQL. */
const concurrency = 26;
const partitions = 2;
/** Process after process may die so often before something is wrong. */
const maxProcesses = 8 * eventsPerPoint;

let postgres: PostgresServer;
let jetstream: JetStreamSetup;
let kafka: KafkaBroker;
let folder: string;

beforeAll(async () => {
  [postgres, jetstream, kafka] = await Promise.all([startPostgres(), startJetStream(), startKafka()]);
  folder = mkdtempSync(join(tmpdir(), "waybill-crash-points-"));
});
afterAll(async () => {
  await Promise.all([postgres?.stop(), jetstream?.[Symbol.asyncDispose](), kafka?.stop()]);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** What was left behind when everything was handled. */
interface Ending {
  readonly kills: number;
  readonly processes: number;
  /** How often each event had its effect. */
  readonly effects: ReadonlyMap<string, number>;
  readonly letters: readonly string[];
  readonly ids: (...points: CrashPoint[]) => readonly string[];
}

async function transportOf(broker: MemberSettings["broker"]): Promise<Transport> {
  if (broker === "kafka") return kafkaTransport({ driver: confluentDriver({ brokers: kafka.brokers }) });
  return jetstream.transport({ streams: [{ name: "ORDERS", subjects: ["orders.>"] }] });
}

async function handleAll(broker: MemberSettings["broker"], store: MemberSettings["store"]): Promise<Ending> {
  const { seed } = seeded(`crash points, ${broker}, ${store}`);
  // Claims in the bucket know it by this name.
  const destination = `orders.${broker}-${store}`;
  const file = join(folder, `${broker}-${store}`);
  const pool = postgres.pool();
  await pool.query("drop table if exists effects, waybill_inbox");
  await pool.query("create table effects (event text not null)");
  await postgresInbox({ pool }).migrate();
  if (broker === "kafka") await kafka.createTopic(destination, partitions);
  const bus = createEventBus({ source: "/shop", transports: { main: await transportOf(broker) } });
  const ids = (...points: CrashPoint[]): string[] =>
    points.flatMap((point) => Array.from({ length: eventsPerPoint }, (_, n) => crashId(point, n)));
  // Event by event another point.
  const items: PublishItem[] = Array.from({ length: crashPoints.length * eventsPerPoint }, (_, n) => {
    const id = crashId(crashPoints[n % crashPoints.length]!, Math.floor(n / crashPoints.length));
    return { type: "order.placed", data: {}, id, key: id, destination };
  });
  for (const each of await bus.publishAll(items)) expect(each).not.toHaveProperty("error");

  const script = fileURLToPath(new URL("./crash-points-member.ts", import.meta.url));
  let processes = 0;
  for (let idle = false; !idle; processes++) {
    if (processes > maxProcesses) throw new Error("process after process dies");
    const given: MemberSettings = {
      ...{
        broker,
        store,
        destination,
        file,
        group: `billing-${store}`,
        seed: seed + processes,
        postgres: postgres.url,
      },
      ...{ port: jetstream.server.port, brokers: kafka.brokers, concurrency },
      lanes: broker === "kafka" ? partitions : 1,
    };
    const member = spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(given)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    idle = await idleOrKilled(member, () => readCrashes(file).size === items.length);
  }
  const { rows } = await pool.query<{ event: string; times: number }>(
    "select event, count(*)::int as times from effects group by event",
  );
  const letters: string[] = [];
  const queue = await createDeadLetterQueue({ bus, destination });
  for await (const { event } of queue.list()) letters.push(event!.id);
  await bus.close();
  const effects = new Map(rows.map(({ event, times }) => [event, times]));
  return { kills: readCrashes(file).size, processes: processes - 1, effects, letters, ids };
}

/** Whether everything is handled; false when the process has killed itself. */
async function idleOrKilled(member: ChildProcess, finished: () => boolean): Promise<boolean> {
  let idle = false;
  member.stdout!.on("data", (chunk) => {
    idle ||= String(chunk).includes("idle");
  });
  const gone = new Promise<NodeJS.Signals | number | null>((resolve) =>
    member.once("exit", (code, by) => resolve(by ?? code)),
  );
  let end: NodeJS.Signals | number | null | undefined;
  void gone.then((how) => {
    end = how;
  });
  try {
    await until("a consumer has handled everything, or dies", () => end !== undefined || (idle && finished()), 120_000);
  } catch (error) {
    member.kill("SIGTERM");
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 2_000))]);
    member.kill("SIGKILL");
    throw error;
  }
  if (end === undefined) {
    member.kill("SIGKILL");
    await gone;
    return true;
  }
  expect(end).toBe("SIGKILL");
  return false;
}

function figuresOf({ kills, processes, effects, letters, ids }: Ending) {
  const wanted = ids(...crashPoints.filter((point) => !isPoison(point)));
  const poison = ids(...crashPoints.filter(isPoison));
  const times = [...effects.values()];
  return {
    events: wanted.length + poison.length,
    kills,
    processes,
    effects: times.reduce((sum, each) => sum + each, 0),
    twice: times.filter((each) => each === 2).length,
    more: times.filter((each) => each > 2).length,
    missing: wanted.filter((id) => !effects.has(id)).length + poison.filter((id) => !letters.includes(id)).length,
    letters: letters.length,
  };
}

describe.each(["jetstream", "kafka"] as const)("a consumer of %s that is killed at each point", (broker) => {
  const events = crashPoints.length * eventsPerPoint;
  const poison = 2 * eventsPerPoint;

  test("has each effect once where its claim is in the transaction of PostgreSQL", async () => {
    const ending = await handleAll(broker, "postgres");
    const figures = figuresOf(ending);
    report(2, `${broker}, effect and claim in one transaction of PostgreSQL`, figures);
    const { processes, ...counted } = figures;
    expect(processes).toBeGreaterThan(1);
    expect(counted).toEqual({
      ...{ events, kills: events, effects: events - poison, twice: 0, more: 0, missing: 0, letters: poison },
    });
    expect([...ending.letters].sort()).toEqual([...ending.ids("before the letter", "after the letter")].sort());
  });

  test("repeats from a store of claims only what was killed between its effect and its commit, once", async () => {
    const ending = await handleAll(broker, "kv");
    const figures = figuresOf(ending);
    report(2, `${broker}, effect beside a claim in NATS KV`, figures);
    const twice = [...ending.effects].filter(([, times]) => times > 1).map(([id]) => id);
    // A commit that was sent right before the end was stored or not.
    const between = ending.ids("after the effect", "in the commit");
    expect(twice.filter((id) => !between.includes(id))).toEqual([]);
    expect(ending.ids("after the effect").filter((id) => !twice.includes(id))).toEqual([]);
    expect([figures.kills, figures.missing, figures.more, figures.letters]).toEqual([events, 0, 0, poison]);
  });

  test("repeats effects without idempotency, which is what the two above are measured against", async () => {
    const ending = await handleAll(broker, "none");
    const figures = figuresOf(ending);
    report(2, `${broker}, control without idempotency`, figures);
    const died = ending.ids("after the effect", "in the commit", "after the commit");
    expect(died.filter((id) => ending.effects.get(id)! < 2)).toEqual([]);
    expect([figures.kills, figures.missing, figures.letters]).toEqual([events, 0, poison]);
  });
});
