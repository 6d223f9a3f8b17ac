import { type Clock, systemClock } from "../../core/clock.ts";
import { type ClaimRecord, type ClaimStep, createClaims } from "../../core/delivery/claims.ts";
import type { IdempotencyStore } from "../../core/delivery/idempotency.ts";
import { EventError } from "../../core/errors.ts";

/** Options of {@link indexedDbIdempotency}. */
export interface IndexedDbIdempotencyOptions {
  /** Name of the database, which belongs to the store alone. Default: `waybill-handled`. */
  readonly name?: string;
  /** Default: the host's clock. */
  readonly clock?: Clock;
}

const storeName = "claims";
const forgetIndex = "forgetMs";
/** How long a claim is kept that nobody committed: its owner may be a tab that was frozen. */
const abandonedMs = 86_400_000;
/** Records removed with each commit: more than one, so that old ones become fewer. */
const pruned = 4;

/**
 * Claims in IndexedDB: of the tabs and workers of an origin that claim a key at once one gets it, and what was handled
 * is known after a reload. A user who clears the site's data clears it too.
 *
 * It stops concurrent repeats and repeats after the commit; a crash between the effect and the commit repeats it once.
 *
 * @throws EventError `unsupported` where there is no IndexedDB. From the store: `transport-failed`, retryable, with what
 * the database says as `cause`, such as `QuotaExceededError`.
 *
 * @example
 * ```ts
 * import { indexedDbIdempotency } from "waybill/browser";
 *
 * const store = indexedDbIdempotency({ name: "shop-handled" });
 * const claim = await store.claim("order o-1", { leaseMs: 30_000 });
 * if (claim.state === "claimed") await store.commit("order o-1", claim.token, { keepMs: 86_400_000 });
 * ```
 */
export function indexedDbIdempotency(options: IndexedDbIdempotencyOptions = {}): IdempotencyStore {
  const { name = "waybill-handled", clock = systemClock } = options;
  if (typeof indexedDB === "undefined") throw new EventError("unsupported", "this runtime has no IndexedDB");
  let opening: Promise<IDBDatabase> | undefined;

  /** Opens the database once; one that was closed (by the browser, or for a newer version) is opened again. */
  function open(): Promise<IDBDatabase> {
    opening ??= openDatabase(name, () => {
      opening = undefined;
    });
    return opening;
  }

  return createClaims(async (key, step) => {
    try {
      return await change(await open(), key, step, clock.now());
    } catch (reason) {
      // An open connection may be of no use: after a crash of the browser's storage every transaction fails.
      void opening?.then((database) => database.close()).catch(() => undefined);
      opening = undefined;
      throw EventError.from(reason, "transport-failed", true);
    }
  }, clock);
}

function openDatabase(name: string, closed: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(storeName).createIndex(forgetIndex, forgetIndex);
    };
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = closed;
      database.onversionchange = () => {
        database.close();
        closed();
      };
      resolve(database);
    };
    request.onerror = () => reject(request.error);
  });
}

/** One readwrite transaction, which no other of the store overlaps: reads, decides and writes. */
function change<T>(
  database: IDBDatabase,
  key: string,
  step: (record: ClaimRecord | undefined) => ClaimStep<T>,
  nowMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // Written through to the disk: what is lost in a power cut would be done twice.
    const transaction = database.transaction(storeName, "readwrite", { durability: "strict" });
    const store = transaction.objectStore(storeName);
    let answer: T;
    const reading: IDBRequest<ClaimRecord | undefined> = store.get(key);
    reading.onsuccess = () => {
      const taken = step(reading.result);
      answer = taken.answer;
      const { write } = taken;
      if (write === null) store.delete(key);
      else if (write) store.put({ ...write, [forgetIndex]: write.untilMs + (write.done ? 0 : abandonedMs) }, key);
      if (write?.done) forget(store.index(forgetIndex), nowMs);
    };
    transaction.oncomplete = () => resolve(answer);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Removes a few of the records that are over. */
function forget(index: IDBIndex, nowMs: number): void {
  let left = pruned;
  const cursor = index.openCursor(IDBKeyRange.upperBound(nowMs));
  cursor.onsuccess = () => {
    if (!cursor.result || left-- === 0) return;
    cursor.result.delete();
    cursor.result.continue();
  };
}
