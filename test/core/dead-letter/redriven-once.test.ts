import { describe, expect, test } from "vitest";
import { createEventBus, EventError, type Transport } from "waybill";
import { createDeadLetterQueue } from "waybill/dead-letter";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { all, logTransport, pass } from "./set-up.ts";

/** One letter, and a transport `slow` beside it that stores at once and answers the first copy late. */
async function setUp(deduplication: boolean, answerMs = 40_000) {
  const clock = fakeClock();
  const memory = memoryTransport({ clock });
  const inner = memoryTransport({ clock });
  let copies = 0;
  const slow: Transport = {
    ...inner,
    capabilities: { ...inner.capabilities, deduplication },
    async publish(messages) {
      copies += messages.length;
      const outcomes = await inner.publish(messages);
      if (copies === 1) await new Promise<void>((resolve) => clock.after(answerMs, resolve));
      return outcomes;
    },
  };
  const routes = [
    { type: "**", to: "memory" },
    { type: "never", to: "slow" },
  ] as const;
  const bus = createEventBus({ source: "/shop", transports: { memory, slow }, routes, clock });
  await bus.subscribe(
    "order",
    () => {
      throw new Error("no");
    },
    { destination: "orders", group: "g", deadLetter: true, retry: { attempts: 1 } },
  );
  await bus.publish("order", {}, { destination: "orders" });
  await pass(clock, 100);
  const store = await memory.openState!("waybill-letters");
  const queue = await createDeadLetterQueue({ bus, destination: "orders", transport: "memory" });
  const [letter] = await all(queue.list());
  /** Notes that a run has the letter, and says nothing more. */
  const claimAndDie = async (target: string | undefined): Promise<void> => {
    const atMs = clock.now();
    const note = { status: "redriving", atMs, sinceMs: atMs, run: "dead", target };
    await store.put(letter!.id, JSON.stringify(note), 0);
    await pass(clock, 16_000);
  };
  const ids = async (status: "uncertain" | "redriving"): Promise<string[]> =>
    (await all(queue.list({ status }))).map(({ id }) => id);
  return { clock, memory, store, queue, copies: () => copies, claimAndDie, id: letter!.id, ids };
}

const to = { transport: "slow" };

describe("a run whose copy waits for its answer", () => {
  test.for([[false], [true]])("keeps its claim, whether the target recognises repeats or not: %j", async ([known]) => {
    const { clock, queue, copies } = await setUp(known!);
    const first = queue.redrive({}, { to });
    await pass(clock, 1_000);
    const second = queue.redrive({}, { to });
    await pass(clock, 60_000);
    expect([await first, await second]).toMatchObject([
      { redriven: 1, failed: 0 },
      { redriven: 0, held: 1, uncertain: 0 },
    ]);
    expect(copies()).toBe(1);
  });

  test("notes what it did, though the answer to a renewal was lost", async () => {
    const { clock, store, queue, copies, ids } = await setUp(true);
    const put = store.put;
    let lost = 0;
    store.put = async (key, value, revision) => {
      const written = await put.call(store, key, value, revision);
      if (revision === 0 || lost++ > 0) return written;
      throw new EventError("timeout", "no answer", { retryable: true });
    };
    const report = queue.redrive({}, { to });
    await pass(clock, 60_000);
    expect(await report).toMatchObject({ redriven: 1, failed: 0 });
    expect([lost > 1, copies(), await ids("redriving")]).toEqual([true, 1, []]);
  });

  test("leaves the letter to who took it over while it stood still", async () => {
    const { clock, store, queue } = await setUp(true);
    const report = queue.redrive({}, { to });
    await pass(clock, 1_000);
    const [entry] = await all(store.entries());
    const note = { ...(JSON.parse(entry!.value) as object), run: "another" };
    await store.put(entry!.key, JSON.stringify(note), entry!.revision);
    await pass(clock, 60_000);
    expect(await report).toMatchObject({ redriven: 0, failures: [{ error: { code: "fenced" } }] });
    const [after] = await all(store.entries());
    expect(JSON.parse(after!.value)).toEqual(note);
  });

  test("leaves no timer behind", async () => {
    const { clock, queue } = await setUp(true, 1);
    let timers = 0;
    const after = clock.after;
    clock.after = (delayMs, run) => {
      timers++;
      const timer = after.call(clock, delayMs, run);
      return {
        cancel() {
          timers--;
          timer.cancel();
        },
      };
    };
    const report = queue.redrive();
    await pass(clock, 100);
    await report;
    expect(timers).toBe(0);
  });
});

describe("what a dead run had", () => {
  test("is left to the operator at once where nobody would recognise its copy", async () => {
    const { queue, copies, claimAndDie, ids, id } = await setUp(false, 0);
    await claimAndDie(undefined);
    expect(await ids("uncertain")).toEqual([id]);
    expect(await queue.redrive({}, { to })).toMatchObject({ redriven: 0, uncertain: 1 });
    expect(copies()).toBe(0);
  });

  test("is left to the operator where its copy went elsewhere", async () => {
    const { clock, queue, copies, claimAndDie } = await setUp(true, 0);
    await claimAndDie("memory orders");
    expect(await queue.redrive({}, { to })).toMatchObject({ redriven: 0, uncertain: 1 });
    expect(copies()).toBe(0);
    const asked = queue.redrive({ status: "uncertain" }, { to });
    await pass(clock, 100);
    expect([await asked, copies()]).toMatchObject([{ redriven: 1, uncertain: 0 }, 1]);
  });

  test("is said to go where it goes", async () => {
    const { clock, store, queue } = await setUp(true);
    const report = queue.redrive({}, { to });
    await pass(clock, 1_000);
    const [entry] = await all(store.entries());
    expect(JSON.parse(entry!.value)).toMatchObject({ status: "redriving", target: "slow orders" });
    await pass(clock, 60_000);
    expect(await report).toMatchObject({ redriven: 1 });
  });
});

describe("a queue in a log", () => {
  /** As Kafka: notes and copies in transactions, by destination of letters. */
  async function logSetUp() {
    const clock = fakeClock();
    const memory = memoryTransport({ clock });
    const fences = new Map<string, number>();
    const kafka = logTransport(memory, (name) => {
      const turn = (fences.get(name) ?? 0) + 1;
      fences.set(name, turn);
      return () => {
        if (fences.get(name) !== turn) throw new EventError("fenced", "another run");
      };
    });
    const bus = createEventBus({ source: "/shop", transports: { kafka }, clock });
    let away = true;
    const handled: string[] = [];
    for (const destination of ["a", "b"]) {
      await bus.subscribe(
        "order",
        (_event, delivery) => {
          if (away) throw new Error("no");
          handled.push(delivery.destination);
        },
        { destination, group: "g", deadLetter: true, retry: { attempts: 1 } },
      );
    }
    for (const destination of ["a", "b", "a"]) await bus.publish("order", {}, { destination });
    await pass(clock, 100);
    away = false;
    return { clock, bus, handled, fences };
  }

  test("redrives a letter once, whichever destinations it was opened with", async () => {
    const { clock, bus, handled } = await logSetUp();
    const both = await createDeadLetterQueue({ bus, destination: ["a", "b"] });
    expect(await both.redrive()).toMatchObject({ redriven: 3 });
    for (const destination of ["b", "a", ["b", "a"]]) {
      const other = await createDeadLetterQueue({ bus, destination });
      expect(await other.redrive()).toMatchObject({ redriven: 0 });
    }
    await pass(clock, 100);
    expect(handled.sort()).toEqual(["a", "a", "b"]);
  });

  test("ends the run before it in its own destinations alone", async () => {
    const { bus, fences } = await logSetUp();
    const one = await createDeadLetterQueue({ bus, destination: "b" });
    await one.redrive();
    expect([...fences.keys()]).toEqual(["waybill-redrive-b.dlq"]);
    const both = await createDeadLetterQueue({ bus, destination: ["a", "b"] });
    await both.redrive();
    expect([...fences]).toEqual([
      ["waybill-redrive-b.dlq", 2],
      ["waybill-redrive-a.dlq", 1],
    ]);
  });
});
