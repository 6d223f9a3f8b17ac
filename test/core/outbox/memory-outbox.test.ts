import { describe, expect, test } from "vitest";
import { type MemoryTransaction, memoryOutbox } from "waybill/outbox";
import { fakeClock } from "waybill/testing";
import { draft, type StoreSetup, storeCases } from "./store-cases.ts";

function setUp(): StoreSetup<MemoryTransaction> {
  const clock = fakeClock();
  const store = memoryOutbox({ clock });
  return { store, transaction: (work) => store.transaction(work), pass: (ms) => clock.advance(ms) };
}

describe("an outbox in memory", () => {
  test.each(storeCases)("$title", ({ run }) => run(setUp()));

  test("takes nothing by a transaction that is over", async () => {
    const { store, transaction } = setUp();
    const kept = await transaction(async (tx) => tx);
    await expect(store.add(kept, draft("late"))).rejects.toMatchObject({ code: "closed" });
  });
});
