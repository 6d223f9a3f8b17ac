import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StateStore } from "waybill";
import { memoryTransport } from "waybill/memory";
import { fakeClock } from "waybill/testing";

async function setUp(ttlMs?: number) {
  const clock = fakeClock();
  const transport = memoryTransport({ clock });
  return { clock, transport, store: await transport.openState!("carts", { ttlMs }) };
}
async function all(store: StateStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of store.entries()) found.push(`${key}=${value}`);
  return found.sort();
}

describe("a store", () => {
  test("writes where the revision is still the same", async () => {
    const { store } = await setUp();
    const first = await store.put("a", "1", 0);
    expect(first).toBeGreaterThan(0);
    expect(await store.put("a", "2", 0)).toBeUndefined();
    const second = await store.put("a", "2", first!);
    expect(await store.put("a", "3", first!)).toBeUndefined();
    expect(await store.get("a")).toEqual({ value: "2", revision: second });
    expect(await store.get("b")).toBeUndefined();
  });
  test("has one winner among many", async () => {
    const { store } = await setUp();
    const won = await Promise.all(Array.from({ length: 8 }, (_, n) => store.put("a", String(n), 0)));
    expect(won.filter((revision) => revision !== undefined)).toHaveLength(1);
  });
  test("removes where the revision is still the same, and never gives one twice", async () => {
    const { store } = await setUp();
    const first = (await store.put("a", "1", 0))!;
    expect(await store.delete("a", first + 1)).toBe(false);
    expect(await store.delete("a", first)).toBe(true);
    expect(await store.delete("a", first)).toBe(true);
    expect(await store.get("a")).toBeUndefined();
    const again = (await store.put("a", "2", 0))!;
    expect(again).toBeGreaterThan(first);
    expect(await store.put("a", "3", first)).toBeUndefined();
    expect(await store.delete("a", first)).toBe(false);
  });
  test("forgets what was written so long ago", async () => {
    const { clock, store } = await setUp(1000);
    const first = (await store.put("a", "1", 0))!;
    await store.put("b", "1", 0);
    await clock.advance(500);
    await store.put("a", "2", first);
    await clock.advance(499);
    expect(await all(store)).toEqual(["a=2", "b=1"]);
    await clock.advance(1);
    expect(await all(store)).toEqual(["a=2"]);
    expect(await store.put("b", "2", 0)).toBeGreaterThan(0);
    await clock.advance(500);
    expect(await store.get("a")).toBeUndefined();
  });
  test("is one of its name, for everyone", async () => {
    const { transport, store } = await setUp();
    await store.put("a", "1", 0);
    expect(await all(await transport.openState!("carts"))).toEqual(["a=1"]);
    expect(await all(await transport.openState!("other"))).toEqual([]);
    await expect(transport.openState!("carts", { ttlMs: 5 })).rejects.toMatchObject({ code: "configuration-mismatch" });
  });
  test.each(["", ".a", "a.", "a..b", "a b", "a/b", "ä", "a*", "x".repeat(1001)])("has no key %j", async (key) => {
    const { store } = await setUp();
    const refused = { code: "invalid-option" };
    await expect(store.get(key)).rejects.toMatchObject(refused);
    await expect(store.put(key, "1", 0)).rejects.toMatchObject(refused);
    await expect(store.delete(key, 1)).rejects.toMatchObject(refused);
  });
  test.each(["", "a.b", "a b", "ä"])("has no name %j", async (name) => {
    const { transport } = await setUp();
    await expect(transport.openState!(name)).rejects.toMatchObject({ code: "invalid-option" });
  });
  test.each([0, -1, Number.NaN])("has no ttlMs %d", async (ttlMs) => {
    await expect(setUp(ttlMs)).rejects.toMatchObject({ code: "invalid-option" });
  });
  test("ends with its transport", async () => {
    const { transport, store } = await setUp();
    await transport.close();
    await expect(store.get("a")).rejects.toMatchObject({ code: "closed" });
    await expect(store.put("a", "1", 0)).rejects.toMatchObject({ code: "closed" });
    await expect(all(store)).rejects.toMatchObject({ code: "closed" });
    await expect(transport.openState!("carts")).rejects.toMatchObject({ code: "closed" });
  });
  test("is what a map with revisions and times would be", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("put" as const), key: fc.constantFrom("a", "b"), stale: fc.boolean() }),
      fc.record({ kind: fc.constant("delete" as const), key: fc.constantFrom("a", "b"), stale: fc.boolean() }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 60 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { size: "medium", maxLength: 40 }), async (steps) => {
        const { clock, store } = await setUp(100);
        const model = new Map<string, { value: string; revision: number; untilMs: number }>();
        let last = 0;
        for (const [n, each] of steps.entries()) {
          if (each.kind === "wait") {
            await clock.advance(each.ms);
            continue;
          }
          const before = model.get(each.key);
          const alive = before !== undefined && before.untilMs > clock.now() ? before : undefined;
          const revision = (alive?.revision ?? 0) + (each.stale ? 1 : 0);
          if (each.kind === "put") {
            const got = await store.put(each.key, String(n), revision);
            expect(got === undefined).toBe(each.stale);
            if (got === undefined) continue;
            expect(got).toBeGreaterThan(last);
            last = got;
            model.set(each.key, { value: String(n), revision: got, untilMs: clock.now() + 100 });
          } else {
            expect(await store.delete(each.key, revision)).toBe(!alive || !each.stale);
            if (!each.stale) model.delete(each.key);
          }
        }
        const left = [...model].filter(([, { untilMs }]) => untilMs > clock.now());
        expect(await all(store)).toEqual(left.map(([key, { value }]) => `${key}=${value}`).sort());
      }),
      { numRuns: 300 },
    );
  });
});
