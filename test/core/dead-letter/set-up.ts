import {
  createEventBus,
  type EventError,
  fixedBackoff,
  type OutgoingMessage,
  type SubscribeOptions,
  type Transport,
} from "waybill";
import { createDeadLetterQueue, type Letter, type LetterFilter, type ListOptions } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { type FakeClock, fakeClock } from "waybill/testing";

/** A bus in memory whose handlers fail as the test says, and the dead letters of `orders`. */
export async function setUp(dedupWindowMs = 120_000) {
  const clock = fakeClock();
  const transport = memoryTransport({ clock, dedupWindowMs });
  const bus = createEventBus({ source: "/shop", transports: { memory: transport }, clock });
  const errors: EventError[] = [];
  bus.onError((error) => errors.push(error));
  const options = {
    destination: "orders",
    retry: { attempts: 2, backoff: fixedBackoff(100) },
    deadLetter: true,
  } satisfies SubscribeOptions<"memory">;
  /** Ids that fail, by group. */
  const failing = new Map<string, Set<string>>();
  /** What each group handled, by id. */
  const handled = new Map<string, string[]>();
  const join = async (group: string, more: SubscribeOptions<"memory"> = {}): Promise<void> => {
    handled.set(group, []);
    await bus.subscribe(
      "order.**",
      (event) => {
        if (failing.get(group)?.has(event.id)) throw new Error(`no ${event.id}`);
        handled.get(group)!.push(event.id);
      },
      { ...options, group, ...more },
    );
  };
  const place = async (...ids: string[]): Promise<void> => {
    for (const id of ids) {
      await bus.publish("order.placed", { id }, { id, key: id.split("-")[0], destination: "orders" });
    }
    await clock.advance(1_000);
  };
  const letters = await createDeadLetterQueue({ bus, destination: "orders" });
  const listed = async (filter?: LetterFilter, given?: ListOptions): Promise<Letter[]> => {
    const found: Letter[] = [];
    for await (const letter of letters.list(filter, given)) found.push(letter);
    return found;
  };
  const ids = async (filter?: LetterFilter): Promise<(string | undefined)[]> =>
    (await listed(filter)).map(({ event }) => event?.id);
  return { clock, transport, bus, errors, failing, handled, join, place, letters, listed, ids };
}

/** Throws to refuse a transaction. */
export type Refusal = (messages: readonly OutgoingMessage[], signal?: AbortSignal) => void;

/**
 * A FAKE of Kafka over a transport in memory: notes lie in a log, and copies go with them in transactions. `opened` is
 * told the name of each publisher of transactions, and may give what refuses some of them.
 */
export function logTransport(memory: Transport, opened: (name: string) => Refusal | undefined): Transport {
  const { openState: _, ...rest } = memory;
  return {
    ...rest,
    capabilities: { ...memory.capabilities, contiguous: true, deduplication: false },
    async openTransactions(name) {
      const refuse = opened(name);
      return {
        async publish(messages, { signal } = {}) {
          refuse?.(messages, signal);
          const outcomes = await memory.publish(messages.map((each) => ({ ...each, dedupId: undefined })));
          for (const outcome of outcomes) if (!outcome.stored) throw outcome.error;
        },
        close: async () => undefined,
      };
    },
  };
}

/** In steps: each lets so many promises settle. */
export async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 50) await clock.advance(50);
}

/** What a promise rejects with: its code. */
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "no error",
    (error: EventError) => error.code,
  );

/** All that comes. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
