import { expect } from "vitest";
import type { OutboxDraft, OutboxLead, OutboxRow, OutboxStore } from "waybill/outbox";
import { gate } from "./gate.ts";

/** A store under test, empty. */
export interface StoreSetup<Tx> {
  readonly store: OutboxStore<Tx>;
  /** Commits what `work` did, or rolls it back when it throws. */
  transaction<T>(work: (transaction: Tx) => Promise<T>): Promise<T>;
  /** Lets time pass for the store. */
  pass(ms: number): Promise<void>;
}

/** What every store of an outbox has to do. */
export interface StoreCase {
  readonly title: string;
  run<Tx>(setup: StoreSetup<Tx>): Promise<void>;
}

export const draft = (name: string, key?: string): OutboxDraft => ({
  event: JSON.stringify({ name }),
  eventId: name,
  type: "t",
  key,
  destination: undefined,
  transport: undefined,
  context: undefined,
});

async function add<Tx>({ store, transaction }: StoreSetup<Tx>, ...drafts: readonly OutboxDraft[]): Promise<void> {
  await transaction(async (tx) => {
    for (const each of drafts) await store.add(tx, each);
  });
}

async function leadOf<Tx>({ store }: StoreSetup<Tx>): Promise<OutboxLead> {
  const lead = await store.lead();
  if (!lead) throw new Error("another leads");
  return lead;
}

const all = { limit: 1_000, busyIds: [], busyKeys: [] };
const names = (rows: readonly OutboxRow[]): string[] => rows.map(({ eventId }) => eventId);

async function rowOf(lead: OutboxLead, name: string): Promise<OutboxRow> {
  const found = (await lead.take(all)).find(({ eventId }) => eventId === name);
  if (!found) throw new Error(`no row ${name}`);
  return found;
}

export const storeCases: readonly StoreCase[] = [
  {
    title: "rows are there once their transaction is committed, in their order, and never after a rollback",
    async run(setup) {
      const { store, transaction } = setup;
      const lead = await leadOf(setup);
      const open = gate();
      const running = transaction(async (tx) => {
        await store.add(tx, draft("a", "k"));
        await store.add(tx, draft("b"));
        await open.passed;
      });
      await open.reached;
      expect(await lead.take(all)).toEqual([]);
      const rolledBack = transaction(async (tx) => {
        await store.add(tx, draft("never", "another"));
        throw new Error("no");
      });
      await expect(rolledBack).rejects.toThrow("no");
      open.pass();
      await running;
      await add(setup, draft("c", "k"));
      expect(names(await lead.take(all))).toEqual(["a", "b", "c"]);
      await lead.close();
    },
  },
  {
    title: "what was written down comes back as it was",
    async run(setup) {
      const full: OutboxDraft = {
        event: '{"data":"\\u0000 \\ud800 é 💥 \' \\" \\\\"}',
        eventId: "id ' \" \\",
        type: "order.placed",
        key: 'k,{}"\\ é 💥',
        destination: "orders",
        transport: "kafka",
        context: '{"traceparent":"00-1"}',
      };
      await add(setup, full, draft("plain"));
      const lead = await leadOf(setup);
      const [first, second] = await lead.take(all);
      expect(first).toMatchObject({ ...full, attempts: 0, refusals: 0 });
      expect(second).toMatchObject(draft("plain"));
      expect(names(await lead.take({ ...all, busyKeys: [full.key!] }))).toEqual(["plain"]);
      await lead.close();
    },
  },
  {
    title: "one leads at a time, and a lead that was given back has no say",
    async run(setup) {
      await add(setup, draft("a"));
      const { store } = setup;
      const lead = await leadOf(setup);
      expect(await store.lead()).toBeUndefined();
      const { id } = await rowOf(lead, "a");
      await lead.close();
      await lead.close();
      const next = await leadOf(setup);
      await expect(lead.take(all)).rejects.toMatchObject({ code: "fenced" });
      await expect(lead.sent([id])).rejects.toMatchObject({ code: "fenced" });
      expect(await store.lead()).toBeUndefined();
      expect(names(await next.take(all))).toEqual(["a"]);
      await next.close();
    },
  },
  {
    title: "published rows do not come again, and are removed after keepMs",
    async run(setup) {
      await add(setup, draft("a", "k"), draft("b", "k"), draft("c"));
      const lead = await leadOf(setup);
      const { id } = await rowOf(lead, "a");
      await lead.sent([id]);
      await lead.sent([id, (await rowOf(lead, "c")).id]);
      expect(names(await lead.take(all))).toEqual(["b"]);
      expect(await lead.prune(60_000, 10)).toBe(0);
      await setup.pass(50);
      expect(await lead.prune(40, 1)).toBe(1);
      expect(await lead.prune(40, 10)).toBe(1);
      expect(await lead.prune(0, 10)).toBe(0);
      expect(names(await lead.take(all))).toEqual(["b"]);
      await lead.close();
    },
  },
  {
    title: "rows that a relay has are not taken again, nor others of their keys",
    async run(setup) {
      await add(setup, draft("a", "k"), draft("b"), draft("c", "k"), draft("d", "l"), draft("e"));
      const lead = await leadOf(setup);
      const busyIds = [(await rowOf(lead, "b")).id];
      expect(names(await lead.take({ ...all, busyIds, busyKeys: ["k"] }))).toEqual(["d", "e"]);
      expect(names(await lead.take({ ...all, limit: 2 }))).toEqual(["a", "b"]);
      await lead.close();
    },
  },
  {
    title: "a row that is put off holds back its key alone",
    async run(setup) {
      await add(setup, draft("a", "k"), draft("b", "k"), draft("c"), draft("d", "l"), draft("e"));
      const lead = await leadOf(setup);
      for (const name of ["a", "c"]) {
        await lead.postpone((await rowOf(lead, name)).id, { delayMs: 400, refused: name === "a", error: "not now" });
      }
      expect(names(await lead.take(all))).toEqual(["d", "e"]);
      await setup.pass(450);
      const rows = await lead.take(all);
      expect(names(rows)).toEqual(["a", "b", "c", "d", "e"]);
      expect(rows.map(({ attempts, refusals }) => [attempts, refusals])).toEqual([
        [1, 1],
        [0, 0],
        [1, 0],
        [0, 0],
        [0, 0],
      ]);
      expect(await setup.store.stats()).toMatchObject({ pending: 5, failed: 0 });
      await lead.close();
    },
  },
  {
    title: "a row that was given up holds back its key or not, as wanted, until it is tried again or discarded",
    async run(setup) {
      const { store } = setup;
      await add(setup, draft("a", "k"), draft("b", "k"), draft("c", "l"), draft("d", "l"), draft("e"));
      const lead = await leadOf(setup);
      const ids = [(await rowOf(lead, "a")).id, (await rowOf(lead, "c")).id];
      for (const [n, id] of ids.entries()) await lead.fail(id, { holds: n === 0, error: "no-route: nobody takes it" });
      expect(names(await lead.take(all))).toEqual(["d", "e"]);
      expect(await store.stats()).toMatchObject({ pending: 3, failed: 2 });
      const failed = await store.failed(10);
      expect(failed.map(({ id, error, attempts }) => [id, error, attempts])).toEqual(
        ids.map((id) => [id, "no-route: nobody takes it", 1]),
      );
      expect(await store.failed(1)).toHaveLength(1);
      expect(await store.retry([ids[0]!])).toBe(1);
      expect(await store.retry([ids[0]!])).toBe(0);
      const rows = await lead.take(all);
      expect(names(rows)).toEqual(["a", "b", "d", "e"]);
      expect(rows[0]).toMatchObject({ attempts: 0, refusals: 0 });
      await lead.fail(ids[0]!, { holds: true, error: "again" });
      expect(names(await lead.take(all))).toEqual(["d", "e"]);
      expect(await store.discard([...ids, "4711"])).toBe(2);
      expect(names(await lead.take(all))).toEqual(["b", "d", "e"]);
      expect(await store.stats()).toMatchObject({ pending: 3, failed: 0 });
      await lead.close();
    },
  },
  {
    title: "a key with very many rows does not crowd out the others, and has no gaps",
    async run(setup) {
      const many = Array.from({ length: 300 }, (_, n) => draft(`k${n}`, "k"));
      await add(setup, ...many, draft("l", "l"), draft("none"));
      const lead = await leadOf(setup);
      const rows = names(await lead.take({ ...all, limit: 128 }));
      expect(rows.slice(-2)).toEqual(["l", "none"]);
      expect(rows.slice(0, -2)).toEqual(many.slice(0, rows.length - 2).map(({ eventId }) => eventId));
      expect(rows.length).toBeGreaterThan(10);
      expect(names(await lead.take({ ...all, busyKeys: ["k"] }))).toEqual(["l", "none"]);
      await lead.close();
    },
  },
  {
    title: "what is put off or given up after it was published stays published",
    async run(setup) {
      await add(setup, draft("a"), draft("b"));
      const lead = await leadOf(setup);
      const [a, b] = await lead.take(all);
      await lead.sent([a!.id, b!.id]);
      await lead.postpone(a!.id, { delayMs: 0, refused: false, error: "late" });
      await lead.fail(b!.id, { holds: true, error: "late" });
      expect(await lead.take(all)).toEqual([]);
      expect(await setup.store.stats()).toEqual({ pending: 0, failed: 0, oldestMs: 0 });
      await lead.close();
    },
  },
  {
    title: "its figures tell how much waits and how long",
    async run(setup) {
      expect(await setup.store.stats()).toEqual({ pending: 0, failed: 0, oldestMs: 0 });
      await add(setup, draft("a", "k"));
      await setup.pass(120);
      await add(setup, draft("b", "k"));
      const stats = await setup.store.stats();
      expect(stats.pending).toBe(2);
      expect(stats.oldestMs).toBeGreaterThanOrEqual(120);
      expect(stats.oldestMs).toBeLessThan(10_000);
    },
  },
  {
    title: "of transactions that overlap in a key the first to commit is first",
    async run(setup) {
      const { store, transaction } = setup;
      const committed: string[] = [];
      const open = gate();
      const first = transaction(async (tx) => {
        await store.add(tx, draft("first", "k"));
        await open.passed;
        await store.add(tx, draft("first again", "k"));
      }).then(() => committed.push("first", "first again"));
      await open.reached;
      const begun = gate();
      const second = transaction(async (tx) => {
        await store.add(tx, draft("other", "other"));
        await begun.passed;
        await store.add(tx, draft("second", "k"));
      }).then(() => committed.push("second"));
      await begun.reached;
      begun.pass();
      open.pass();
      await Promise.all([first, second]);
      const lead = await leadOf(setup);
      expect(names((await lead.take(all)).filter(({ key }) => key === "k"))).toEqual(committed);
      expect(committed).toHaveLength(3);
      await lead.close();
    },
  },
];
