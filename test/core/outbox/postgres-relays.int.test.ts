// Random transactions at once, two relays whose connections break at random: against the real PostgreSQL.
import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { createOutbox, postgresOutbox } from "waybill/outbox";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";

let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
  pool = server.pool({ max: 16 });
});
afterAll(() => server?.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const transaction = fc.record({
  keys: fc.array(fc.constantFrom(undefined, "a", "b", "c"), { minLength: 1, maxLength: 4, size: "max" }),
  commits: fc.boolean(),
  waitMs: fc.nat(4),
});
const writer = fc.array(transaction, { maxLength: 12, size: "max" });

test("what is committed is published in the order of its key, whatever becomes of the relays", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(writer, { minLength: 1, maxLength: 5, size: "max" }),
      fc.array(fc.record({ afterMs: fc.nat(30), what: fc.constantFrom("break", "close") }), { maxLength: 4 }),
      fc.infiniteStream(fc.constantFrom("stored", "stored", "stored", "failed", "unknown")),
      async (writers, chaos, fates) => {
        const table = `outbox_${++runs}`;
        const store = postgresOutbox({ pool, table });
        await store.migrate();
        const bus = createEventBus({ source: "/s", transports: { memory: memoryTransport() } });
        const committed: { id: string; key: string | undefined }[] = [];
        const known = new Set<string>();
        const early: string[] = [];
        const stored: string[] = [];
        let calm = false;
        const flaky = Object.assign(Object.create(bus), {
          async forward(...[event, options]: Parameters<typeof bus.forward>) {
            const fate = calm ? "stored" : fates.next().value;
            await pause(Math.random() * 3);
            if (!known.has(event.id)) early.push(event.id);
            if (fate !== "failed") stored.push(event.id);
            const later = { ...options, ...(fate !== "stored" && { signal: AbortSignal.abort() }) };
            return bus.forward(event, later);
          },
        }) as typeof bus;
        const outbox = createOutbox({ bus: flaky, store });
        const start = () =>
          outbox.relay({ pollMs: 5, maxRows: 8, attempts: 1e6, backoff: fixedBackoff(5), onError: () => undefined });
        let relays = [await start(), await start()];

        const write = async (transactions: (typeof writers)[number]): Promise<void> => {
          const client = await pool.connect();
          for (const { keys, commits, waitMs } of transactions) {
            await client.query("begin");
            const added: { id: string; key: string | undefined }[] = [];
            try {
              for (const key of keys) {
                const { id } = await outbox.add(client, "t", {}, { key });
                added.push({ id, key });
              }
              await pause(waitMs);
              // The relay may hear of the commit before we do.
              if (commits) for (const { id } of added) known.add(id);
              await client.query(commits ? "commit" : "rollback");
              if (commits) committed.push(...added);
            } catch (reason) {
              // Two that want keys of each other.
              expect(reason).toMatchObject({ retryable: true, cause: { code: "40P01" } });
              await client.query("rollback");
            }
          }
          client.release();
        };
        const disturb = async (): Promise<void> => {
          for (const { afterMs, what } of chaos) {
            await pause(afterMs);
            if (what === "close") {
              const [first, second] = relays;
              await first!.close();
              relays = [second!, await start()];
            } else {
              await pool.query(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 2 and classid = 1466328427",
              );
            }
          }
        };
        await Promise.all([...writers.map(write), disturb()]);
        calm = true;
        const until = Date.now() + 20_000;
        while ((await outbox.stats()).pending > 0 && Date.now() < until) await pause(5);

        expect(await outbox.stats()).toEqual({ pending: 0, failed: 0, oldestMs: 0 });
        for (const relay of relays) await relay.close();
        await bus.close();
        expect(early).toEqual([]);
        const first = [...new Set(stored)];
        expect([...first].sort()).toEqual(committed.map(({ id }) => id).sort());
        for (const key of ["a", "b", "c"]) {
          const wanted = committed.filter((each) => each.key === key).map(({ id }) => id);
          expect(first.filter((id) => wanted.includes(id))).toEqual(wanted);
        }
        await pool.query(`drop table ${table}`);
      },
    ),
    { numRuns: 60 },
  );
});
