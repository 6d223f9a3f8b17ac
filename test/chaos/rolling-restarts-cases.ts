import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { createDeadLetterQueue, type Letter } from "waybill/dead-letter";
import { openBus, type Place, publishAll } from "./places.ts";
import { lettersOf, numberOf } from "./poison-run.ts";
import type { Load, MemberSettings } from "./rolling-restarts-member.ts";
import { report, seeded, sized, until } from "./support/chaos.ts";

const memberFile = fileURLToPath(new URL("./rolling-restarts-member.ts", import.meta.url));
const group = "billing";
const attempts = 4;
/** Members that leave, and others that come. */
export const restarts: number = sized(10, 50);
const atOnce = 3;

/** The title of the test. */
export const title = `${restarts} restarts under load: healthy events are never set aside, and poison ones after ${attempts} failures`;

/** How often an event fails: most never, some as often as they may without being given up, a few for ever. */
function failuresOf(n: number): number {
  if (n % 40 === 7) return Number.MAX_SAFE_INTEGER;
  if (n % 10 === 8) return attempts - 1;
  if (n % 10 === 3) return 1 + (n % (attempts - 1));
  return 0;
}

/** What became of the events. */
export interface Outcome {
  readonly published: number;
  /** Events that fail less often than they may, or never, and are set aside all the same. */
  readonly wronged: readonly number[];
  /** Set aside before their handler had failed as often as it may. */
  readonly early: readonly number[];
  readonly missing: readonly number[];
  /** Poison, set aside. */
  readonly letters: readonly Letter[];
  /** Poison whose handler was called more often than it may fail. */
  readonly more: number;
  readonly repeats: number;
  readonly killed: number;
  /** What each member that was closed left unsettled. */
  readonly left: readonly number[];
  /** What members reported beside failed handlers. */
  readonly reported: readonly string[];
}

/**
 * Closes or kills one member of a group after the other under load and lets another come. Without `shared` each of them is
 * killed, and members know only what the broker counts: the control.
 */
export async function rollingRestarts(place: Place, restarts: number, shared = true): Promise<Outcome> {
  const { integer } = seeded(`rolling restarts on ${place.name}`);
  const destination = await place.destination("restarts");
  const folder = await mkdtemp(join(tmpdir(), "waybill-restarts-"));
  await writeFile(join(folder, "log"), "");
  const members: ChildProcess[] = [];
  const settings: MemberSettings = { ...place.reach, destination, group, attempts, shared, folder };
  const enter = async (): Promise<void> => {
    const member = spawn(process.execPath, ["--import", "tsx", memberFile, JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    members.push(member);
    await once(member.stdout!, "data");
  };
  const { bus } = await openBus(place);
  try {
    const letters = await createDeadLetterQueue({ bus, destination });
    await Promise.all(Array.from({ length: atOnce }, enter));
    let published = 0;
    let over = false;
    const publishing = (async () => {
      while (!over) {
        const items = Array.from({ length: 5 }, () => {
          const data: Load = { n: published, failures: failuresOf(published) };
          published++;
          return { type: "order.placed", data, destination };
        });
        await publishAll(bus, items);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    let killed = 0;
    const closing: Promise<unknown>[] = [];
    for (let restart = 0; restart < restarts; restart++) {
      const entering = enter();
      const [leaving] = members.splice(integer(atOnce), 1);
      const end = once(leaving!, "exit");
      if (restart % 2 === 0 || !shared) {
        leaving!.kill("SIGKILL");
        killed++;
      } else {
        leaving!.kill("SIGTERM");
        closing.push(end);
      }
      await entering;
    }
    over = true;
    await publishing;
    const ends = (await Promise.all(closing)) as [code: number | null][];
    expect(ends.map(([code]) => code)).toEqual(ends.map(() => 0));
    const all = Array.from({ length: published }, (_, n) => n);
    const poison = all.filter((n) => failuresOf(n) > attempts);
    const lines = async (): Promise<string[]> => (await readFile(join(folder, "log"), "utf8")).split("\n");
    const handled = async (): Promise<number[]> =>
      (await lines()).filter((line) => line.startsWith("handled ")).map((line) => Number(line.slice(8)));
    const lettered = async (): Promise<number[]> =>
      (await lettersOf(letters)).map(({ event }) => (event!.data as Load).n).sort((a, b) => a - b);
    await until(
      "all is handled or set aside",
      async () => new Set([...(await handled()), ...(await lettered())]).size >= published,
      120_000,
    );
    // Whoever had more to say says it by then.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const failures = new Map<number, number>();
    for (const name of await readdir(folder)) {
      const [what, n] = name.split("-");
      if (what === "failed") failures.set(Number(n), (await readFile(join(folder, name))).length);
    }
    const aside = await lettersOf(letters);
    const done = new Set(await handled());
    const asideNumbers = new Set(aside.map(numberOf));
    return {
      published,
      wronged: (await lettered()).filter((n) => failuresOf(n) < attempts),
      early: (await lettered()).filter((n) => failures.get(n)! < attempts),
      missing: all.filter((n) => !done.has(n) && !asideNumbers.has(n)),
      letters: aside,
      more: poison.filter((n) => failures.get(n)! > attempts).length,
      repeats: (await handled()).length - done.size,
      killed,
      left: (await lines()).filter((line) => line.startsWith("left ")).map((line) => Number(line.slice(5))),
      reported: (await lines()).filter((line) => line.startsWith("error ")),
    };
  } finally {
    const ends = members.map((member) => once(member, "exit"));
    for (const member of members) member.kill("SIGKILL");
    await Promise.all(ends);
    await bus.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Healthy events are handled, those that fail less often than they may as well, and poison is set aside once. */
export async function checkRestarts(place: Place): Promise<Outcome> {
  const outcome = await rollingRestarts(place, restarts);
  const { published, wronged, early, missing, letters, killed, more, repeats } = outcome;
  expect([wronged, early, missing]).toEqual([[], [], []]);
  const poison = Array.from({ length: published }, (_, n) => n).filter((n) => failuresOf(n) > attempts);
  expect(letters.map(numberOf).sort((a, b) => a - b)).toEqual(poison);
  for (const letter of letters) {
    const { attempts: counted, reason } = letter;
    expect([numberOf(letter), counted, reason]).toEqual([numberOf(letter), attempts, "attempts-exhausted"]);
  }
  report(4, place.name, {
    ...{ restarts, "of them killed": killed, members: atOnce, events: published },
    ...{ "healthy or fragile set aside": wronged.length, missing: missing.length },
    ...{ "letters, each once": letters.length, "attempts in each": attempts },
    ...{ "poison whose handler was called more often": more, "handled twice": repeats },
  });
  return outcome;
}
