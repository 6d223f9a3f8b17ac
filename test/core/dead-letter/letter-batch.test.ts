import { describe, expect, test } from "vitest";
import {
  createEventBus,
  EventError,
  type EventErrorCode,
  type OutgoingMessage,
  type PublishOutcome,
  type Transport,
} from "waybill";
import { createDeadLetterQueue, type LetterStatus } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { all, codeOf, logTransport, pass } from "./set-up.ts";

interface Failure {
  readonly code: EventErrorCode;
  readonly retryable?: boolean;
  readonly outcome?: "unknown";
}

const decoder = new TextDecoder();

/** The name in an event's data; undefined for what is no event. */
function nameIn({ body }: OutgoingMessage): string | undefined {
  const text = body instanceof Uint8Array ? decoder.decode(body) : (body ?? "");
  return /"name":"([^"]+)"/.exec(text)?.[1];
}

/**
 * Letters of `destinations` at "failed", on a transport with transactions, as Kafka, and a transport `other` beside it.
 * Copies of a name or to a destination in `refused` are not stored.
 */
async function setUp({ destinations = ["orders"], park = false } = {}) {
  const clock = fakeClock();
  const refused = new Map<string, Failure>();
  const errorFor = (message: OutgoingMessage): EventError | undefined => {
    const [, why] = [...refused].find(([name]) => name === nameIn(message) || name === message.destination) ?? [];
    if (!why) return undefined;
    const { code, retryable = false, outcome = "failed" } = why;
    return new EventError(code, "refused", { retryable, outcome });
  };
  let transactions = 0;
  const kafka = logTransport(memoryTransport({ clock }), () => (messages, signal) => {
    transactions++;
    if (signal?.aborted) throw new EventError("aborted", "given up", { outcome: "failed" });
    const error = messages.map(errorFor).find((each) => each !== undefined);
    if (error) throw error;
  });
  const beside = memoryTransport({ clock });
  const sent: string[] = [];
  let onSent = (_name: string): void => undefined;
  const other: Transport = {
    ...beside,
    async publish(messages) {
      const outcomes: PublishOutcome[] = [];
      for (const message of messages) {
        sent.push(nameIn(message)!);
        onSent(nameIn(message)!);
        const error = errorFor(message);
        if (error) outcomes.push({ stored: false, outcome: error.outcome!, retrySafe: false, error });
        else outcomes.push(...(await beside.publish([message])));
      }
      return outcomes;
    },
  };
  const routes = [
    { type: "**", to: "kafka" },
    { type: "never", to: "other" },
  ] as const;
  const bus = createEventBus({ source: "/shop", transports: { kafka, other }, routes, clock });
  let away = true;
  const handled: string[] = [];
  for (const destination of destinations) {
    await bus.subscribe(
      "order",
      ({ data }) => {
        if (away) throw new Error("no");
        handled.push((data as { name: string }).name);
      },
      {
        ...{ destination, group: "g", order: "key", retry: { attempts: 1 } },
        deadLetter: { destination: "failed", ...(park && { onKey: "park" }) },
      },
    );
  }
  const queue = await createDeadLetterQueue({
    ...{ bus, destination: destinations, letters: "failed", transport: "kafka" },
  });
  return {
    ...{ clock, refused, queue, handled, sent },
    transactions: () => transactions,
    whenSent: (run: (name: string) => void): void => {
      onSent = run;
    },
    /** Sets these aside, and lets handlers succeed from then on. */
    async setAside(...names: string[]): Promise<void> {
      for (const [at, name] of names.entries()) {
        const destination = destinations[at % destinations.length]!;
        await bus.publish("order", { name }, { destination, key: "k" });
      }
      await pass(clock, 500);
      away = false;
    },
    async names(status: LetterStatus): Promise<string[]> {
      return (await all(queue.list({ status }))).map(({ event }) => (event!.data as { name: string }).name);
    },
  };
}

const to = { transport: "other" };
const hundred = Array.from({ length: 100 }, (_, at) => `o-${at}`);

describe("a batch of copies in one transaction", () => {
  test.for([["too-large"], ["invalid-header"]] as const)(
    "is stored but for the one that can never be: %s",
    async ([code]) => {
      const { clock, refused, queue, handled, setAside, names, transactions } = await setUp();
      await setAside(...hundred);
      refused.set("o-37", { code });
      const report = await queue.redrive();
      expect(report).toMatchObject({ matched: 100, redriven: 99, failed: 1, failures: [{ error: { code } }] });
      await pass(clock, 500);
      expect(handled).toEqual(hundred.filter((name) => name !== "o-37"));
      expect([await names("waiting"), await names("redriven")]).toEqual([["o-37"], handled]);
      // Halved until it is alone: twice per level of 100, and the first.
      expect(transactions()).toBeLessThanOrEqual(1 + 2 * 7);
      refused.clear();
      expect(await queue.redrive()).toMatchObject({ matched: 1, redriven: 1 });
    },
  );

  test.for([["denied"], ["invalid-destination"]] as const)(
    "is stored but for the destination that cannot be written to: %s",
    async ([code]) => {
      const { refused, queue, setAside, names, transactions } = await setUp({ destinations: ["orders", "shut"] });
      await setAside(...hundred);
      refused.set("shut", { code });
      expect(await queue.redrive()).toMatchObject({ matched: 100, redriven: 50, failed: 50 });
      expect(await names("waiting")).toEqual(hundred.filter((_, at) => at % 2 === 1));
      expect(transactions()).toBeLessThanOrEqual(4);
    },
  );

  test("waits as a whole where the brokers refuse what they may take later", async () => {
    const { refused, queue, setAside, names, transactions } = await setUp();
    await setAside("a", "b", "c");
    refused.set("b", { code: "transport-failed", retryable: true });
    expect(await queue.redrive()).toMatchObject({ matched: 3, redriven: 0, failed: 3 });
    expect([await names("waiting"), transactions()]).toEqual([["a", "b", "c"], 1]);
  });

  test("of a parked key is stored up to the one that can never be", async () => {
    const { clock, refused, queue, handled, setAside, names } = await setUp({ park: true });
    await setAside("a", "b", "c", "d", "e");
    refused.set("c", { code: "too-large" });
    expect(await queue.redrive()).toMatchObject({ matched: 5, redriven: 2, failed: 1, held: 2 });
    await pass(clock, 100);
    expect([handled, await names("waiting")]).toEqual([
      ["a", "b"],
      ["c", "d", "e"],
    ]);
    const [, , c] = await all(queue.list({ status: ["waiting", "redriven"] }));
    await queue.discard({ ids: [c!.id] });
    expect(await queue.redrive()).toMatchObject({ matched: 2, redriven: 2 });
    await pass(clock, 100);
    expect(handled).toEqual(["a", "b", "d", "e"]);
  });
});

describe("a batch of copies that go elsewhere", () => {
  test("is stored but for the one that can never be", async () => {
    const { refused, queue, sent, setAside, names } = await setUp();
    await setAside("a", "b", "c");
    refused.set("b", { code: "too-large" });
    expect(await queue.redrive({}, { to })).toMatchObject({ matched: 3, redriven: 2, failed: 1 });
    expect([sent, await names("redriven"), await names("waiting")]).toEqual([["a", "b", "c"], ["a", "c"], ["b"]]);
  });

  test("is not tried any further where others would fail too, and waits", async () => {
    const { refused, queue, sent, setAside, names } = await setUp();
    await setAside("a", "b", "c");
    refused.set("b", { code: "denied" });
    expect(await queue.redrive({}, { to })).toMatchObject({ matched: 3, redriven: 1, failed: 2, uncertain: 0 });
    expect([sent, await names("redriven"), await names("waiting")]).toEqual([["a", "b"], ["a"], ["b", "c"]]);
    refused.clear();
    expect(await queue.redrive({}, { to })).toMatchObject({ redriven: 2 });
    expect(sent).toEqual(["a", "b", "b", "c"]);
  });

  test("leaves uncertain what nobody can tell of, and nothing else", async () => {
    const { clock, refused, queue, sent, setAside, names } = await setUp();
    await setAside("a", "b", "c");
    refused.set("b", { code: "timeout", outcome: "unknown" });
    expect(await queue.redrive({}, { to })).toMatchObject({ matched: 3, redriven: 1, failed: 2 });
    refused.clear();
    expect(await queue.redrive({}, { to })).toMatchObject({ redriven: 1, uncertain: 1 });
    expect(sent).toEqual(["a", "b", "c"]);
    await pass(clock, 16_000);
    expect([await names("redriven"), await names("uncertain")]).toEqual([["a", "c"], ["b"]]);
    // Asked for again and refused, it is as uncertain as before.
    refused.set("b", { code: "denied" });
    expect(await queue.redrive({ status: "uncertain" }, { to })).toMatchObject({ redriven: 0, failed: 1 });
    expect(await names("uncertain")).toEqual(["b"]);
  });

  test("of a parked key is stored up to the one that can never be", async () => {
    const { refused, queue, sent, setAside, names } = await setUp({ park: true });
    await setAside("a", "b", "c", "d");
    refused.set("b", { code: "too-large" });
    expect(await queue.redrive({}, { to })).toMatchObject({ matched: 4, redriven: 1, failed: 1, held: 2 });
    expect([sent, await names("waiting")]).toEqual([
      ["a", "b"],
      ["b", "c", "d"],
    ]);
  });

  test("that is given up leaves waiting what was not tried", async () => {
    const { queue, sent, setAside, names, whenSent } = await setUp();
    await setAside("a", "b", "c");
    const control = new AbortController();
    whenSent((text) => text === "b" && control.abort());
    expect(await codeOf(queue.redrive({}, { to, signal: control.signal }))).toBe("aborted");
    expect([sent, await names("redriven"), await names("waiting")]).toEqual([["a", "b"], ["a", "b"], ["c"]]);
  });
});
