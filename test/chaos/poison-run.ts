import { expect } from "vitest";
import { fixedBackoff } from "waybill";
import { createDeadLetterQueue, type DeadLetterQueue, type Letter, type LetterFilter } from "waybill/dead-letter";
import { type ChaosBus, openBus, type Place, publishAll } from "./places.ts";
import { percentile, sized, until } from "./support/chaos.ts";

export const attempts = 3;
const group = "billing";
const keys = 100;
/** One key in twenty has nothing but poison. */
const poisonKeys = 5;
/** In full size poison comes faster than it is done with, so that it piles up. */
const backoffMs = sized(10, 100);
/** The first events of a load also wait for connections and code to be warm. */
const warmUp = 200;

/** The key of an event, and whether that key is poison. */
export const keyOf = (n: number): string => `key-${n % keys}`;
export const isPoison = (n: number): boolean => n % keys < poisonKeys;

/** One load on a destination of its own. */
export interface Run {
  readonly bus: ChaosBus;
  readonly destination: string;
  readonly letters: DeadLetterQueue;
  /** How often the handler was called, by event. */
  readonly calls: ReadonlyMap<number, number>;
  /** From publish to handled, of keys without poison: those whose lane has none either, and the others. */
  readonly apartMs: readonly number[];
  readonly besideMs: readonly number[];
  readonly handled: ReadonlySet<number>;
  /** From now on nothing fails. */
  mend(): void;
}

/** All letters that a filter means. */
export async function lettersOf(letters: DeadLetterQueue, filter?: LetterFilter): Promise<Letter[]> {
  const found: Letter[] = [];
  for await (const letter of letters.list(filter)) found.push(letter);
  return found;
}

/** The number of a letter's event; -1 where it is none of ours. */
export const numberOf = ({ event }: Letter): number => (event?.data as { n: number } | undefined)?.n ?? -1;

/** The figures of two loads side by side. */
export const p99 = ({ apartMs }: Run): number => percentile(apartMs, 0.99);

/**
 * Publishes `total` events at a steady pace and waits until each is handled or set aside. Without `poison` the same
 * events go the same way and none fails.
 */
export async function runLoad(place: Place, name: string, total: number, poison: boolean): Promise<Run> {
  const destination = await place.destination(name);
  const { bus, errors } = await openBus(place);
  const calls = new Map<number, number>();
  const handled = new Set<number>();
  const sentMs = new Map<number, number>();
  const latencies = { apart: [] as number[], beside: [] as number[] };
  const poisonLanes = new Set(Array.from({ length: poisonKeys }, (_, n) => place.laneOf(keyOf(n))));
  const lane = (n: number): number | undefined => place.laneOf(keyOf(n));
  let mended = !poison;
  await bus.subscribe(
    "order.placed",
    async (event) => {
      const { n } = event.data as { n: number };
      calls.set(n, (calls.get(n) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (isPoison(n) && !mended) throw new Error("poison");
      handled.add(n);
      if (isPoison(n) || n < warmUp) return;
      const beside = lane(n) !== undefined && poisonLanes.has(lane(n));
      latencies[beside ? "beside" : "apart"].push(performance.now() - sentMs.get(n)!);
    },
    { destination, group, concurrency: 16, retry: { attempts, backoff: fixedBackoff(backoffMs) }, deadLetter: true },
  );
  const letters = await createDeadLetterQueue({ bus, destination });
  // A steady pace below what the place can do: else the load itself is what events wait for.
  const everyMs = 20;
  const slice = 10;
  const start = performance.now();
  const sending: Promise<void>[] = [];
  for (let n = 0; n < total; ) {
    const items = Array.from({ length: slice }, () => {
      sentMs.set(n, performance.now());
      const item = { type: "order.placed", data: { n }, key: keyOf(n), destination };
      n++;
      return item;
    });
    sending.push(publishAll(bus, items));
    const dueMs = start + (n / slice) * everyMs - performance.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
  }
  await Promise.all(sending);
  const bad = poison ? (total / keys) * poisonKeys : 0;
  await until(
    "every event is handled or has failed as often as it may",
    () => {
      const failed = [...calls].filter(([n, count]) => isPoison(n) && !handled.has(n) && count >= attempts).length;
      return handled.size === total - bad && failed === bad;
    },
    300_000,
  );
  await until("the letters are there", async () => (await lettersOf(letters)).length >= bad);
  expect(errors).toEqual([]);
  return {
    ...{ bus, destination, letters, calls, handled, apartMs: latencies.apart, besideMs: latencies.beside },
    mend: () => {
      mended = true;
    },
  };
}
