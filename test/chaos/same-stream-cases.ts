import { expect } from "vitest";
import { EventError, fixedBackoff, type SubscribeOptions, type Transport } from "waybill";
import {
  createDeadLetterQueue,
  type DeadLetterQueue,
  type LetterFilter,
  type RedriveReport,
} from "waybill/dead-letter";
import { type ChaosBus, publishAll } from "./places.ts";
import { lettersOf, numberOf } from "./poison-run.ts";
import { until } from "./support/chaos.ts";

export const attempts = 2;
/** A loop ends after so many calls for an event: the test is to fail by it, and not by all the memory there is. */
const maxCalls = 10;

/** A group that fails what it is told to, and counts. */
export interface Group {
  readonly name: string;
  /** Events that fail. */
  readonly failing: Set<number>;
  /** How often its handler was called, by event. */
  readonly calls: Map<number, number>;
  readonly handled: number[];
}

/** Lets a group listen. */
export async function join(
  bus: ChaosBus,
  name: string,
  destination: string,
  deadLetter: SubscribeOptions["deadLetter"],
  failing: Iterable<number> = [],
): Promise<Group> {
  const group: Group = { name, failing: new Set(failing), calls: new Map(), handled: [] };
  await bus.subscribe(
    "order.placed",
    ({ data }) => {
      const { n } = data as { n: number };
      group.calls.set(n, (group.calls.get(n) ?? 0) + 1);
      if (group.failing.has(n) && group.calls.get(n)! <= maxCalls) throw new Error(`${name} fails`);
      group.handled.push(n);
    },
    { destination, group: name, retry: { attempts, backoff: fixedBackoff(5) }, deadLetter: deadLetter ?? true },
  );
  return group;
}

/** Publishes events `from` to `to`, without the last. */
export function place(bus: ChaosBus, destination: string, from: number, to: number): Promise<void> {
  return publishAll(
    bus,
    Array.from({ length: to - from }, (_, n) => ({ type: "order.placed", data: { n: from + n }, destination })),
  );
}

/** The events of the letters that a filter means, in order. */
export async function failed(queue: DeadLetterQueue, filter?: LetterFilter): Promise<number[]> {
  return (await lettersOf(queue, filter)).map(numberOf).sort((a, b) => a - b);
}

/** Messages stored at a destination. */
export async function count(transport: Transport, destination: string): Promise<number> {
  let found = 0;
  for await (const _ of transport.read!({ destination })) found++;
  return found;
}

export const upTo = (n: number): number[] => Array.from({ length: n }, (_, each) => each);

/** How often the handlers of a group were called in all. */
export const callsOf = ({ calls }: Group): number => [...calls.values()].reduce((sum, each) => sum + each, 0);

/** Long enough for a loop to show: what comes again at once has come many times by then. */
export const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

const total = 20;

/**
 * Letters and copies in one destination's stream and window: none is taken for a repeat of the event, of another letter or
 * of an earlier copy, however often an event goes round.
 */
export async function goesRound(
  bus: ChaosBus,
  transport: Transport,
  destination: string,
  lettersAt: string,
): Promise<{ readonly events: number; readonly letters: number; readonly copies: number }> {
  const group = await join(bus, "billing", destination, { destination: lettersAt }, upTo(total));
  await place(bus, destination, 0, total);
  const queue = await createDeadLetterQueue({ bus, destination, letters: lettersAt });
  const rounds = 3;
  for (let round = 1; round <= rounds; round++) {
    await until(`${total} letters in round ${round}`, async () => (await failed(queue)).length >= total);
    expect(await failed(queue)).toEqual(upTo(total));
    expect(callsOf(group)).toBe(total * attempts * round);
    expect(await count(transport, lettersAt)).toBe(total * round);
    if (round === rounds) group.failing.clear();
    expect(await queue.redrive()).toMatchObject({ redriven: total, failed: 0 });
    expect(await count(transport, destination)).toBe(total * (1 + round));
  }
  await until("the last copies are handled", () => group.handled.length === total);
  expect(await failed(queue)).toEqual([]);
  expect(await queue.redrive()).toMatchObject({ redriven: 0, failed: 0 });
  await aWhile();
  expect(callsOf(group)).toBe(total * (attempts * rounds + 1));
  expect(await count(transport, destination)).toBe(total * (1 + rounds));
  return { events: total, letters: total * rounds, copies: total * rounds };
}

/** A subscriber whose pattern also takes its letters handles none of them, and neither does one that comes later. */
export async function ownWildcard(
  bus: ChaosBus,
  transport: Transport,
  pattern: string,
  destination: string,
): Promise<{ readonly events: number; readonly calls: number }> {
  const group = await join(bus, "billing", pattern, true, upTo(total));
  await place(bus, destination, 0, total);
  const queue = await createDeadLetterQueue({ bus, destination: pattern });
  await until("the letters are there", async () => (await failed(queue)).length >= total);
  // Their destination exists by now: who comes now could take it for one of the events.
  const late = await join(bus, "late", pattern, true);
  await until("the late group has the events", () => late.handled.length >= total);
  await aWhile();
  expect([callsOf(group), callsOf(late)]).toEqual([total * attempts, total]);
  expect(await failed(queue)).toEqual(upTo(total));
  group.failing.clear();
  expect(await queue.redrive()).toMatchObject({ redriven: total, failed: 0 });
  await until("the copies are handled", () => group.handled.length === total);
  await aWhile();
  expect([callsOf(group), callsOf(late)]).toEqual([total * (attempts + 1), total]);
  expect(await failed(queue)).toEqual([]);
  expect(await count(transport, destination)).toBe(total * 2);
  return { events: total, calls: callsOf(group) + callsOf(late) };
}

/** Of several groups on one destination only those that failed get copies, each its own. */
export async function severalGroups(
  bus: ChaosBus,
  transport: Transport,
  destination: string,
): Promise<Record<string, number>> {
  const billing = await join(bus, "billing", destination, true, upTo(total));
  const mail = await join(bus, "mail", destination, true, upTo(total / 2));
  const audit = await join(bus, "audit", destination, true);
  const others = [mail, audit];
  await place(bus, destination, 0, total);
  const queue = await createDeadLetterQueue({ bus, destination });
  const all = total + total / 2;
  await until("the letters are there", async () => (await failed(queue)).length >= all);
  await until("the others have theirs", () => audit.handled.length === total && mail.handled.length === total / 2);
  expect(await failed(queue, { group: "billing" })).toEqual(upTo(total));
  expect(await failed(queue, { group: "mail" })).toEqual(upTo(total / 2));
  expect((await lettersOf(queue)).map(({ attempts: each }) => each)).toEqual(Array(all).fill(attempts));
  billing.failing.clear();
  mail.failing.clear();
  const before = others.map(callsOf);
  // One group after the other: the copies of the second are not taken for those of the first.
  const first: RedriveReport = await queue.redrive({ group: "billing" });
  expect([first.redriven, first.failures]).toEqual([total, []]);
  await until("billing has its copies", () => billing.handled.length === total);
  await aWhile();
  expect(others.map(callsOf)).toEqual(before);
  const second = await queue.redrive();
  expect([second.redriven, second.failures]).toEqual([total / 2, []]);
  await until("mail has its copies", () => mail.handled.length === total);
  await aWhile();
  expect([billing, mail, audit].map(callsOf)).toEqual([
    total * attempts + total,
    (total / 2) * attempts + total / 2 + total / 2,
    total,
  ]);
  expect(await failed(queue)).toEqual([]);
  expect(await count(transport, destination)).toBe(total + all);
  return { events: total, groups: 3, letters: all, copies: all, "copies handled by a group that had not failed": 0 };
}

/**
 * A transport whose letters and copies carry the dedup id of the event that they were made of, as careless code would: what
 * the guard of ids of their own is for.
 */
export function careless(transport: Transport): Transport {
  const first = new Map<string, string>();
  return {
    ...transport,
    capabilities: transport.capabilities,
    publish: (messages, options) =>
      transport.publish(
        messages.map((message) => {
          const { headers, dedupId } = message;
          const id = String(headers[headers.indexOf("ce-id") + 1]);
          if (!first.has(id) && dedupId !== undefined) first.set(id, dedupId);
          return /^(dlq|redrive):/.test(dedupId ?? "") ? { ...message, dedupId: first.get(id) } : message;
        }),
        options,
      ),
  };
}

/** What careless ids do: letters are taken for their events and are gone. Answers how many letters there are. */
export async function swallowed(bus: ChaosBus, destination: string, lettersAt: string): Promise<number> {
  const group = await join(bus, "billing", destination, { destination: lettersAt }, upTo(total));
  await place(bus, destination, 0, total).catch((reason: unknown) => {
    throw EventError.from(reason);
  });
  const queue = await createDeadLetterQueue({ bus, destination, letters: lettersAt });
  await until("each has failed as often as it may", () => callsOf(group) >= total * attempts);
  await aWhile();
  return (await failed(queue)).length;
}
