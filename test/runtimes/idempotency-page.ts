// Runs in Chromium: the cases of every store of claims over IndexedDB, and claims that two tabs make at once.
import { indexedDbIdempotency } from "waybill/browser";
import { fakeClock } from "../../testing/fake-clock.ts";
import { idempotencyCases } from "../core/delivery/idempotency-cases.ts";

/** What the page does for the test. */
export interface PageApi {
  /** Runs the cases, each in a database of its own; answers what failed. */
  runCases(): Promise<{ readonly ran: number; readonly failed: readonly string[] }>;
  /** Claims keys `0` to `count` - 1 at once; answers those that it got. */
  claimAll(name: string, count: number): Promise<number[]>;
  commit(name: string, key: string, keepMs: number): Promise<boolean>;
  stateOf(name: string, key: string): Promise<string>;
  /** How many records the database holds. */
  records(name: string): Promise<number>;
  /** Deletes the database, as a user who clears the site's data does. */
  clear(name: string): Promise<void>;
  /** What a claim rejects with, once the quota is used up. */
  failure(name: string): Promise<{ code: string; retryable: boolean; cause: string } | "none">;
}

const lease = { leaseMs: 60_000 };
const stores = new Map<string, ReturnType<typeof indexedDbIdempotency>>();
const storeOf = (name: string): ReturnType<typeof indexedDbIdempotency> => {
  const store = stores.get(name) ?? indexedDbIdempotency({ name });
  stores.set(name, store);
  return store;
};

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const api: PageApi = {
  async runCases() {
    const failed: string[] = [];
    for (const [n, { title, run }] of idempotencyCases.entries()) {
      const clock = fakeClock();
      const open = (): ReturnType<typeof indexedDbIdempotency> => indexedDbIdempotency({ name: `case ${n}`, clock });
      await run({ first: open(), second: open(), clock }).catch((reason) => failed.push(`${title}: ${reason}`));
    }
    return { ran: idempotencyCases.length, failed };
  },
  async claimAll(name, count) {
    const store = storeOf(name);
    const keys = Array.from({ length: count }, (_, n) => n);
    const claims = await Promise.all(keys.map((key) => store.claim(String(key), lease)));
    return keys.filter((key) => claims[key]!.state === "claimed");
  },
  async commit(name, key, keepMs) {
    const claim = await storeOf(name).claim(key, lease);
    return claim.state === "claimed" && storeOf(name).commit(key, claim.token, { keepMs });
  },
  async stateOf(name, key) {
    return (await storeOf(name).claim(key, lease)).state;
  },
  async records(name) {
    const database = await settled(indexedDB.open(name));
    const count = await settled(database.transaction("claims").objectStore("claims").count());
    database.close();
    return count;
  },
  async clear(name) {
    await settled(indexedDB.deleteDatabase(name));
  },
  async failure(name) {
    try {
      const store = storeOf(name);
      for (let n = 0; n < 50; n++) {
        const key = `${n} ${"x".repeat(100_000)}`;
        const claim = await store.claim(key, lease);
        if (claim.state === "claimed") await store.commit(key, claim.token, { keepMs: 60_000 });
      }
      return "none";
    } catch (reason) {
      const { code, retryable, cause } = reason as { code: string; retryable: boolean; cause?: Error };
      return { code, retryable, cause: cause?.name ?? "none" };
    }
  },
};
Object.assign(globalThis, { api });
