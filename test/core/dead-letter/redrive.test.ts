import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { createDeadLetterQueue, type RedriveProgress } from "waybill/dead-letter";
import { codeOf, setUp } from "./set-up.ts";

const three = ["a-1", "b-1", "c-1"];

async function failed(ids: readonly string[] = three, dedupWindowMs?: number) {
  const made = await setUp(dedupWindowMs);
  made.failing.set("billing", new Set(ids));
  await made.join("billing");
  await made.join("mail");
  await made.place(...ids);
  for (const list of made.handled.values()) list.length = 0;
  return made;
}

describe("a redrive", () => {
  test("gives each event to the group that failed, once, and drains the list", async () => {
    const { clock, failing, handled, letters, ids } = await failed();
    failing.clear();
    expect(await letters.redrive()).toMatchObject({ matched: 3, redriven: 3, failed: 0, failures: [] });
    await clock.advance(1_000);
    expect([handled.get("billing")!.sort(), handled.get("mail"), await ids()]).toEqual([three, [], []]);
    expect(await letters.redrive()).toMatchObject({ matched: 0, redriven: 0 });
    await clock.advance(1_000);
    expect(handled.get("billing")!.length).toBe(3);
  });

  test("of one letter, or of a filter, leaves the others", async () => {
    const { letters, listed, ids } = await failed();
    const [first] = await listed({ key: "b" });
    await letters.redrive(first!.id);
    expect((await ids()).sort()).toEqual(["a-1", "c-1"]);
    await letters.redrive({ key: "c" });
    expect(await ids()).toEqual(["a-1"]);
  });

  test("counts a dry run and changes nothing", async () => {
    const { clock, failing, handled, letters, ids } = await failed();
    failing.clear();
    expect(await letters.redrive({ key: "a" }, { dryRun: true })).toMatchObject({ seen: 3, matched: 1, redriven: 1 });
    await clock.advance(1_000);
    expect([handled.get("billing"), (await ids()).length]).toEqual([[], 3]);
  });

  test("keeps id, key, time and extensions, and the creation context", async () => {
    const { clock, bus, failing, transport, letters } = await failed([]);
    failing.set("billing", new Set(["e-1"]));
    const created = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const traceId = "a".repeat(32);
    await bus.publish(
      "order.placed",
      {},
      {
        id: "e-1",
        destination: "orders",
        key: "a",
        time: "2026-01-02T03:04:05Z",
        extensions: { own: "x" },
        context: trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: "b".repeat(16), traceFlags: 1 }),
      },
    );
    await clock.advance(1_000);
    const copies: unknown[] = [];
    await letters.redrive({ key: "a" });
    for await (const { headers, key } of transport.read!({ destination: "orders" })) {
      if (!headers.get("waybill-only-group")) continue;
      copies.push([headers.get("ce-id"), headers.get("ce-source"), headers.get("ce-time"), key, headers.get("ce-own")]);
      expect(headers.get("ce-traceparent")).toBe(created);
      expect(headers.get("traceparent")).toBe(created);
    }
    expect(copies).toEqual([["e-1", "/shop", "2026-01-02T03:04:05Z", "a", "x"]]);
  });

  test("that fails again makes a new letter, with its count", async () => {
    const { clock, letters, listed } = await failed(["a-1"]);
    await letters.redrive();
    await clock.advance(1_000);
    const again = await listed();
    expect(again.map(({ redrives, origin }) => [redrives, origin.position])).toEqual([[1, "0"]]);
    expect(await letters.redrive({ maxRedrives: 0 })).toMatchObject({ redriven: 0 });
    expect(await letters.redrive({ maxRedrives: 1 })).toMatchObject({ redriven: 1 });
  });

  test("sends what transform made of the event, and leaves what it did not want", async () => {
    const { clock, failing, transport, letters, ids } = await failed();
    failing.clear();
    const report = await letters.redrive(
      {},
      { transform: ({ event }) => (event!.id === "b-1" ? undefined : { ...event!, data: { mended: true } }) },
    );
    expect(report).toMatchObject({ matched: 3, redriven: 2, skipped: 1 });
    await clock.advance(1_000);
    expect(await ids()).toEqual(["b-1"]);
    const sent: string[] = [];
    for await (const { headers, body } of transport.read!({ destination: "orders" })) {
      if (headers.get("waybill-redrive-count")) sent.push(`${headers.get("ce-id")} ${new TextDecoder().decode(body!)}`);
    }
    expect(sent.sort()).toEqual(['a-1 {"mended":true}', 'c-1 {"mended":true}']);
  });

  test("goes to configured destinations alone", async () => {
    const { bus, letters, transport } = await failed();
    const report = await letters.redrive({ key: "a" }, { to: { destination: "admin.commands" } });
    expect(report).toMatchObject({ redriven: 0, failed: 1, failures: [{ error: { code: "invalid-destination" } }] });
    const wider = await createDeadLetterQueue({ bus, destination: "orders.dlq", targets: ["admin.*"] });
    expect(await wider.redrive({ key: "a" }, { to: { destination: "admin.commands" } })).toMatchObject({ redriven: 1 });
    let found = 0;
    for await (const _ of transport.read!({ destination: "admin.commands" })) found++;
    expect(found).toBe(1);
  });

  test("by two operators at once sends each copy once", async () => {
    const many = Array.from({ length: 200 }, (_, n) => `k${n}-1`);
    // A broker that recognises no repeats: claims alone decide.
    const { clock, bus, failing, handled, letters, ids } = await failed(many, 0);
    failing.clear();
    const other = await createDeadLetterQueue({ bus, destination: "orders" });
    const reports = Promise.all([letters.redrive(), other.redrive()]);
    // In steps: each lets so many promises settle, and who is late waits for the claims of the other.
    for (let at = 0; at < 40_000; at += 1_000) await clock.advance(1_000);
    const [one, two] = await reports;
    expect(one.redriven + two.redriven).toBe(200);
    expect([handled.get("billing")!.length, new Set(handled.get("billing")).size, await ids()]).toEqual([200, 200, []]);
  });

  test("takes over what a run died with, and sends nothing twice", async () => {
    const { clock, transport, failing, handled, letters, listed } = await failed();
    failing.clear();
    const store = await transport.openState!("waybill-letters");
    const [first, second] = await listed();
    // One run died after its copy was stored, the other before.
    const publish = transport.publish;
    transport.publish = async (messages) => {
      const outcomes = await publish(messages);
      throw Object.assign(new Error("killed"), { outcomes });
    };
    await letters.redrive(first!.id);
    transport.publish = publish;
    const note = { status: "redriving", atMs: clock.now(), sinceMs: clock.now(), run: "dead", target: "memory orders" };
    await store.put(second!.id, JSON.stringify(note), 0);
    const report = letters.redrive();
    await clock.advance(60_000);
    expect(await report).toMatchObject({ redriven: 3, held: 0, failed: 0 });
    expect(handled.get("billing")!.sort()).toEqual(three);
  });

  test("takes over what a run died with while it goes on, not at its end", async () => {
    const { clock, transport, failing, letters, listed } = await failed([...three, "d-1", "e-1", "f-1"]);
    failing.clear();
    const store = await transport.openState!("waybill-letters");
    const [first] = await listed();
    const note = { status: "redriving", atMs: clock.now(), sinceMs: clock.now(), run: "dead", target: "memory orders" };
    await store.put(first!.id, JSON.stringify(note), 0);
    const sent: (string | undefined)[] = [];
    const publish = transport.publish;
    transport.publish = (messages) => {
      for (const { headers } of messages) sent.push(String(headers[headers.indexOf("ce-id") + 1]));
      return publish(messages);
    };
    // A copy every ten seconds: some come before the claim is over, some behind it.
    const report = letters.redrive({}, { rate: 0.1, concurrency: 1 });
    for (let at = 0; at < 90_000; at += 500) await clock.advance(500);
    expect(await report).toMatchObject({ redriven: 6, held: 0, uncertain: 0 });
    expect(sent.indexOf(first!.event!.id)).toBe(3);
  });

  test("looks at no notes of letters that nobody has touched, unless a look would spare more", async () => {
    const { transport, failing, letters } = await failed(Array.from({ length: 20 }, (_, n) => `k${n}-1`));
    failing.clear();
    const store = await transport.openState!("waybill-letters");
    let looks = 0;
    const get = store.get;
    store.get = (key) => {
      looks++;
      return get.call(store, key);
    };
    expect(await letters.redrive({}, { concurrency: 1 })).toMatchObject({ redriven: 20 });
    expect(looks).toBe(0);
    // The first of them tells that the others are probably noted too.
    const write = store.put;
    let writes = 0;
    store.put = (...given) => {
      writes++;
      return write.apply(store, given);
    };
    expect(await letters.redrive({}, { concurrency: 1 })).toMatchObject({ seen: 20, matched: 0 });
    expect([looks, writes]).toEqual([20, 1]);
  });

  test("leaves to the operator what died too long ago to know", async () => {
    const { clock, transport, letters, listed } = await failed();
    const store = await transport.openState!("waybill-letters");
    const [first] = await listed();
    const note = { status: "redriving", atMs: clock.now(), sinceMs: clock.now(), run: "dead", target: "memory orders" };
    await store.put(first!.id, JSON.stringify(note), 0);
    await clock.advance(200_000);
    expect(await letters.redrive()).toMatchObject({ redriven: 2, uncertain: 1 });
    expect((await listed({ status: "uncertain" })).length).toBe(1);
    expect(await letters.redrive({ status: "uncertain" })).toMatchObject({ redriven: 1 });
  });

  test("keeps its rate, tells its progress and stops when asked to", async () => {
    const many = Array.from({ length: 300 }, (_, n) => `k${n}-1`);
    const { clock, letters, failing } = await failed(many);
    failing.clear();
    const told: RedriveProgress[] = [];
    // In steps: each lets so many promises settle.
    const pass = async (ms: number): Promise<void> => {
      for (let at = 0; at < ms; at += 50) await clock.advance(50);
    };
    const controller = new AbortController();
    const going = letters.redrive(
      {},
      {
        rate: 100,
        signal: controller.signal,
        onProgress(progress) {
          told.push(progress);
          if (progress.redriven >= 200) controller.abort(new Error("enough"));
        },
      },
    );
    const code = codeOf(going);
    await pass(5_000);
    expect(await code).toBe("aborted");
    const last = told.at(-1)!;
    expect(last.redriven).toBeGreaterThanOrEqual(200);
    expect(last.redriven).toBeLessThan(300);
    expect(told.length).toBeGreaterThan(10);
    const rest = letters.redrive({}, { rate: 100 });
    await pass(5_000);
    expect((await rest).redriven + last.redriven).toBe(300);
  });

  test("is told that the broker took a copy for another message, and the letter waits", async () => {
    const { transport, letters, ids } = await failed(["a-1"]);
    const publish = transport.publish;
    transport.publish = async (messages) => {
      await publish(messages);
      return publish(messages);
    };
    expect(await letters.redrive()).toMatchObject({ redriven: 0, failed: 1 });
    transport.publish = publish;
    expect(await ids()).toEqual(["a-1"]);
  });
});

describe("a parked key", () => {
  test("is redriven in its order, with what followed, and is free afterwards", async () => {
    const { failing, handled, join, place, letters, ids } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing", { deadLetter: { onKey: "park" } });
    await place("a-1", "a-2", "b-1", "a-3");
    expect([handled.get("billing"), await ids()]).toEqual([["b-1"], ["a-1", "a-2", "a-3"]]);
    failing.clear();
    expect(await letters.redrive()).toMatchObject({ redriven: 3 });
    await place("a-4");
    expect([handled.get("billing"), await ids()]).toEqual([["b-1", "a-1", "a-2", "a-3", "a-4"], []]);
  });

  test("stays parked while one of its copies fails again, and keeps the order through a second redrive", async () => {
    const { clock, failing, handled, join, place, letters, ids } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing", { deadLetter: { onKey: "park" } });
    await place("a-1", "a-2", "a-3");
    failing.set("billing", new Set(["a-2"]));
    await letters.redrive();
    await place("a-4");
    expect([handled.get("billing"), (await ids()).sort()]).toEqual([["a-1"], ["a-2", "a-3", "a-4"]]);
    failing.clear();
    await letters.redrive();
    await clock.advance(1_000);
    await letters.redrive();
    await place("a-5");
    expect([handled.get("billing"), await ids()]).toEqual([["a-1", "a-2", "a-3", "a-4", "a-5"], []]);
  });

  test("is redriven in the order of first occurrence, whatever the order of the letters", async () => {
    const { clock, failing, handled, join, place, letters } = await setUp();
    failing.set("billing", new Set(["a-1"]));
    await join("billing", { deadLetter: { onKey: "park" } });
    await place("a-1", "a-2", "a-3");
    // Only the first is redriven, and fails again: its new letter stands behind the others.
    const [first] = await (async () => {
      const found: { id: string }[] = [];
      for await (const letter of letters.list()) found.push(letter);
      return found;
    })();
    await letters.redrive(first!.id);
    await clock.advance(1_000);
    failing.clear();
    await letters.redrive();
    await clock.advance(1_000);
    expect(handled.get("billing")).toEqual(["a-1", "a-2", "a-3"]);
  });

  test("needs key order, and no batches", async () => {
    const { bus } = await setUp();
    const give = { destination: "orders", group: "g", deadLetter: { onKey: "park" } } as const;
    expect(await codeOf(bus.subscribe("order.x", () => undefined, { ...give, order: "none" }))).toBe("invalid-option");
    const batch = { maxEvents: 5, maxWaitMs: 10 };
    expect(await codeOf(bus.subscribe("order.x", () => undefined, { ...give, batch }))).toBe("invalid-option");
  });
});
