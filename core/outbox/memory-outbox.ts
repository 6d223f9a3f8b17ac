import { type Clock, systemClock } from "../clock.ts";
import { EventError } from "../errors.ts";
import {
  type FailedRow,
  type OutboxDraft,
  type OutboxLead,
  type OutboxStore,
  rowsPerKey,
  type TakeOptions,
} from "./store.ts";

/** What {@link MemoryOutbox.transaction} hands to its work. */
export interface MemoryTransaction {
  /** Writes a row that exists once the transaction is committed. */
  add(draft: OutboxDraft): void;
}

/** Options of {@link memoryOutbox}. */
export interface MemoryOutboxOptions {
  /** Default: the host's clock. */
  readonly clock?: Clock;
}

/** An outbox in memory, with transactions of its own. */
export interface MemoryOutbox extends OutboxStore<MemoryTransaction> {
  /** Runs `work`; when it resolves all that it added is there, when it rejects nothing is. */
  transaction<T>(work: (transaction: MemoryTransaction) => Promise<T>): Promise<T>;
}

interface Row extends FailedRow {
  status: "pending" | "sent" | "failed";
  attempts: number;
  refusals: number;
  error: string;
  /** When it was added, then when it was published. */
  atMs: number;
  dueMs: number;
}

/**
 * Keeps the rows of an outbox in memory, for tests and demos: they are lost with the process. Rows are in the order in
 * which their transactions were committed.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 * import { createOutbox, memoryOutbox } from "waybill/outbox";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * const store = memoryOutbox();
 * const outbox = createOutbox({ bus, store });
 * await store.transaction((transaction) => outbox.add(transaction, "order.placed", { orderId: "o-1" }));
 * ```
 */
export function memoryOutbox({ clock = systemClock }: MemoryOutboxOptions = {}): MemoryOutbox {
  /** In their order. */
  let rows: Row[] = [];
  let ids = 0;
  let leading = false;

  function* pick({ limit, busyIds, busyKeys }: TakeOptions): Generator<Row> {
    const now = clock.now();
    const [busy, closed] = [new Set(busyIds), new Set(busyKeys)];
    const perKey = new Map<string, number>();
    for (const row of rows) {
      if (limit === 0) return;
      if (busy.has(row.id)) continue;
      const { key, status } = row;
      const ready = status === "pending" && row.dueMs <= now;
      if (key === undefined) {
        if (!ready) continue;
      } else {
        const before = perKey.get(key) ?? 0;
        if (closed.has(key) || status === "sent" || (status === "failed" && row.dueMs <= now)) continue;
        // What it holds back comes behind it.
        if (!ready || before === rowsPerKey) closed.add(key);
        if (closed.has(key)) continue;
        perKey.set(key, before + 1);
      }
      limit--;
      yield row;
    }
  }

  function change(ids: readonly string[], status: Row["status"], to: (row: Row) => void): number {
    const wanted = new Set(ids);
    const found = rows.filter((row) => row.status === status && wanted.has(row.id));
    for (const row of found) to(row);
    return found.length;
  }

  function createLead(): OutboxLead {
    let open = true;
    const check = (): void => {
      if (!open) throw new EventError("fenced", "outbox: the right to publish was given back");
    };
    return {
      async take(options) {
        check();
        return Array.from(pick(options), (row) => ({ ...row }));
      },
      async sent(given) {
        check();
        change(given, "pending", (row) => Object.assign(row, { status: "sent", atMs: clock.now() }));
      },
      async postpone(id, { delayMs, refused, error }) {
        check();
        change([id], "pending", (row) => {
          row.attempts++;
          if (refused) row.refusals++;
          Object.assign(row, { error, dueMs: clock.now() + delayMs });
        });
      },
      async fail(id, { holds, error }) {
        check();
        change([id], "pending", (row) => {
          row.attempts++;
          Object.assign(row, { error, status: "failed", dueMs: holds ? Number.POSITIVE_INFINITY : 0 });
        });
      },
      async prune(keepMs, limit) {
        check();
        const before = clock.now() - keepMs;
        const over = new Set(rows.filter((row) => row.status === "sent" && row.atMs <= before).slice(0, limit));
        rows = rows.filter((row) => !over.has(row));
        return over.size;
      },
      async close() {
        if (open) leading = false;
        open = false;
      },
    };
  }

  return {
    async transaction(work) {
      let added: OutboxDraft[] | undefined = [];
      const transaction: MemoryTransaction = {
        add(draft) {
          if (!added) throw new EventError("closed", "outbox: the transaction is over");
          added.push(draft);
        },
      };
      try {
        const result = await work(transaction);
        const atMs = clock.now();
        for (const draft of added) {
          const fresh = { status: "pending", attempts: 0, refusals: 0, error: "", atMs, dueMs: 0 } as const;
          rows.push({ ...draft, id: String(++ids), ...fresh });
        }
        return result;
      } finally {
        added = undefined;
      }
    },
    async add(transaction, draft) {
      transaction.add(draft);
    },
    async lead() {
      if (leading) return undefined;
      leading = true;
      return createLead();
    },
    async stats() {
      const of = (status: Row["status"]): Row[] => rows.filter((row) => row.status === status);
      const [oldest] = of("pending");
      const oldestMs = oldest ? clock.now() - oldest.atMs : 0;
      return { pending: of("pending").length, failed: of("failed").length, oldestMs };
    },
    failed: async (limit) => rows.filter((row) => row.status === "failed").slice(0, limit),
    retry: async (given) =>
      change(given, "failed", (row) => Object.assign(row, { status: "pending", attempts: 0, refusals: 0, dueMs: 0 })),
    async discard(given) {
      const wanted = new Set(given);
      const before = rows.length;
      rows = rows.filter((row) => row.status !== "failed" || !wanted.has(row.id));
      return before - rows.length;
    },
  };
}
