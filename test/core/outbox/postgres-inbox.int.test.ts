import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff } from "waybill";
import { memoryTransport } from "waybill/memory";
import { postgresInbox, postgresInboxDdl } from "waybill/outbox";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { hostileTexts } from "../delivery/idempotency-cases.ts";
import { gate } from "./gate.ts";

let server: PostgresServer;
let pool: pg.Pool;
const keep = { keepMs: 3_600_000 };

beforeAll(async () => {
  server = await startPostgres();
  pool = server.pool({ max: 20 });
  await pool.query("create table effects (name text not null)");
  await pool.query("create table seats (id int primary key, taken int not null)");
});
afterAll(() => server?.stop());
beforeEach(async () => {
  await pool.query("truncate effects, seats");
  await pool.query("drop table if exists waybill_inbox");
  await postgresInbox({ pool }).migrate();
});

const inbox = () => postgresInbox<pg.PoolClient>({ pool });

async function effects(): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>("select name from effects order by name");
  return rows.map(({ name }) => name);
}

const effect =
  (name: string, result?: string) =>
  async (transaction: pg.PoolClient): Promise<string | undefined> => {
    await transaction.query("insert into effects values ($1)", [name]);
    return result;
  };

/** Resolves when a session of the server waits for a lock. */
async function someoneWaits(): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    const { rows } = await pool.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
    if (rows.length > 0) return;
    if (Date.now() > until) throw new Error("nobody waits");
  }
}

test("work runs once: its effect and the mark are committed together, and its result is kept", async () => {
  expect(await inbox().run("k", effect("a", '{"n":1}'), keep)).toEqual({ repeated: false, result: '{"n":1}' });
  expect(await inbox().run("k", effect("b"), keep)).toEqual({ repeated: true, result: '{"n":1}' });
  expect(await inbox().run("without result", effect("c"), keep)).toEqual({ repeated: false });
  expect(await inbox().run("without result", effect("d"), keep)).toEqual({ repeated: true });
  expect(await effects()).toEqual(["a", "c"]);
});

test("work that fails leaves neither an effect nor a mark, and its connection is used again", async () => {
  const failure = new Error("no");
  const one = server.pool({ max: 1 });
  const { rows: before } = await one.query("select pg_backend_pid() as pid");
  const failing = postgresInbox<pg.PoolClient>({ pool: one }).run(
    "k",
    async (transaction) => {
      await effect("a")(transaction);
      throw failure;
    },
    keep,
  );
  await expect(failing).rejects.toBe(failure);
  expect(await effects()).toEqual([]);
  expect(await inbox().run("k", effect("b"), keep)).toEqual({ repeated: false });
  const { rows: after } = await one.query("select pg_backend_pid() as pid");
  expect(after).toEqual(before);
});

describe("two runs of a key at once", () => {
  test("wait for each other: the second finds the first one's result", async () => {
    const open = gate();
    const first = inbox().run(
      "k",
      async (transaction) => {
        await effect("first")(transaction);
        await open.passed;
        return "1";
      },
      keep,
    );
    await open.reached;
    const second = inbox().run("k", effect("second", "2"), keep);
    await someoneWaits();
    expect(await effects()).toEqual([]);
    open.pass();
    expect(await Promise.all([first, second])).toEqual([
      { repeated: false, result: "1" },
      { repeated: true, result: "1" },
    ]);
    expect(await effects()).toEqual(["first"]);
  });

  test("the second one runs when the first is rolled back", async () => {
    const open = gate();
    const first = inbox().run(
      "k",
      async (transaction) => {
        await effect("first")(transaction);
        await open.passed;
        throw new Error("no");
      },
      keep,
    );
    await open.reached;
    const second = inbox().run("k", effect("second", "2"), keep);
    await someoneWaits();
    open.pass();
    await expect(first).rejects.toThrow("no");
    expect(await second).toEqual({ repeated: false, result: "2" });
    expect(await effects()).toEqual(["second"]);
  });

  test.each(["repeatable read", "serializable"] as const)(
    "are a retryable conflict at %s, and then the second finds it done",
    async (isolation) => {
      const strict = postgresInbox<pg.PoolClient>({ pool, isolation });
      const open = gate();
      const first = strict.run(
        "k",
        async (transaction) => {
          await effect("first")(transaction);
          await open.passed;
          return undefined;
        },
        keep,
      );
      await open.reached;
      const second = strict.run("k", effect("second"), keep);
      second.catch(() => undefined);
      await someoneWaits();
      open.pass();
      await first;
      await expect(second).rejects.toMatchObject({
        code: "transport-failed",
        retryable: true,
        cause: { code: "40001" },
      });
      expect(await strict.run("k", effect("second"), keep)).toEqual({ repeated: true });
      expect(await effects()).toEqual(["first"]);
    },
  );

  test("a hundred of ten keys run each key once", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => inbox().run(`k${n % 10}`, effect(`k${n % 10}`, `${n}`), keep)),
    );
    expect(outcomes.filter(({ repeated }) => !repeated)).toHaveLength(10);
    expect(await effects()).toEqual(Array.from({ length: 10 }, (_, n) => `k${n}`));
    for (let n = 0; n < 10; n++) {
      expect(new Set(outcomes.filter((_, at) => at % 10 === n).map(({ result }) => result)).size).toBe(1);
    }
  });
});

test("keys and results may hold any character, and no two keys are one", async () => {
  const result = (n: number): string => hostileTexts.at(-n)!;
  for (const [n, key] of hostileTexts.entries()) {
    expect(await inbox().run(key, async () => result(n), keep)).toEqual({ repeated: false, result: result(n) });
  }
  for (const [n, key] of hostileTexts.entries()) {
    expect(await inbox().run(key, async () => "again", keep)).toEqual({ repeated: true, result: result(n) });
  }
});

test("a key is forgotten after keepMs, not before, and pruned", async () => {
  await inbox().run("short", effect("short", "old"), { keepMs: 300 });
  await inbox().run("long", effect("long"), keep);
  expect(await inbox().run("short", effect("x"), keep)).toEqual({ repeated: true, result: "old" });
  expect(await inbox().prune()).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 350));
  expect(await inbox().run("short", effect("short again"), { keepMs: 1 })).toEqual({ repeated: false });
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await inbox().prune()).toBe(1);
  expect(await inbox().run("long", effect("x"), keep)).toEqual({ repeated: true });
  expect(await effects()).toEqual(["long", "short", "short again"]);
});

test("every hundredth run removes keys that are over", async () => {
  const one = inbox();
  for (let n = 0; n < 99; n++) await one.run(`k${n}`, async () => undefined, { keepMs: 1 });
  const count = async (): Promise<number> => (await pool.query("select 1 from waybill_inbox")).rows.length;
  expect(await count()).toBe(99);
  await one.run("last", async () => undefined, keep);
  expect(await count()).toBe(1);
});

describe("retryable are", () => {
  test("deadlocks in the work", async () => {
    await pool.query("insert into seats values (1, 0), (2, 0)");
    const open = [gate(), gate()] as const;
    const take = (key: string, n: 0 | 1) =>
      inbox().run(
        key,
        async (transaction) => {
          await transaction.query("update seats set taken = taken + 1 where id = $1", [n + 1]);
          await open[n].passed;
          await transaction.query("update seats set taken = taken + 1 where id = $1", [2 - n]);
          return undefined;
        },
        keep,
      );
    const runs = [take("a", 0), take("b", 1)];
    const settled = Promise.allSettled(runs);
    await Promise.all(open.map(({ reached }) => reached));
    for (const each of open) each.pass();
    const failed = (await settled).flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ code: "transport-failed", retryable: true, cause: { code: "40P01" } });
    const again = await Promise.all([take("a", 0), take("b", 1)]);
    expect(again.map(({ repeated }) => repeated).sort()).toEqual([false, true]);
    expect((await pool.query("select sum(taken)::int as taken from seats")).rows).toEqual([{ taken: 4 }]);
  });

  test("serialization failures at the commit", async () => {
    await pool.query("insert into seats values (1, 0), (2, 0)");
    const strict = postgresInbox<pg.PoolClient>({ pool, isolation: "serializable" });
    const open = [gate(), gate()] as const;
    const take = (n: 0 | 1) =>
      strict.run(
        `k${n}`,
        async (transaction) => {
          const { rows } = await transaction.query("select sum(taken)::int as taken from seats");
          await open[n].passed;
          await transaction.query("update seats set taken = $2 where id = $1", [n + 1, rows[0].taken + 1]);
          return undefined;
        },
        keep,
      );
    const settled = Promise.allSettled([take(0), take(1)]);
    await Promise.all(open.map(({ reached }) => reached));
    for (const each of open) each.pass();
    const failed = (await settled).flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ code: "transport-failed", retryable: true, cause: { code: "40001" } });
  });

  test("a server that is away", async () => {
    await using proxy = await startTcpProxy(server.port);
    proxy.refuse();
    const far = server.pool({ connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` });
    const run = postgresInbox<pg.PoolClient>({ pool: far }).run("k", effect("a"), keep);
    await expect(run).rejects.toMatchObject({ code: "unreachable", retryable: true });
  });
});

describe("a connection that is lost", () => {
  const lostAt = async (
    moment: "in the work" | "before the commit" | "after the commit",
  ): Promise<{ run: Promise<unknown>; end: () => Promise<void> }> => {
    const proxy = await startTcpProxy(server.port);
    const far = server.pool({ connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`, max: 1 });
    const client = await far.connect();
    const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<{ rows: unknown[] }>;
    const own = {
      release: (destroy?: boolean) => client.release(destroy),
      on: (_: "error", listener: (error: Error) => void) => client.on("error", listener),
      off: (_: "error", listener: (error: Error) => void) => client.off("error", listener),
      async query(text: string, values?: unknown[]) {
        if (text !== "commit" || moment === "in the work") return query(text, values);
        if (moment === "before the commit") proxy.reset();
        else {
          proxy.mute();
          // The server commits, its answer is swallowed, then the connection breaks.
          setTimeout(async () => {
            while ((await effects()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
            proxy.reset();
          });
        }
        return query(text, values);
      },
    };
    const run = postgresInbox({ pool: { connect: async () => own } }).run(
      "k",
      async (transaction) => {
        await transaction.query("insert into effects values ('a')");
        if (moment === "in the work") proxy.reset();
        await transaction.query("select 1");
        return "result";
      },
      keep,
    );
    run.catch(() => undefined);
    return { run, end: () => proxy.close() };
  };

  test("in the work is an error like another, and the process lives", async () => {
    const { run, end } = await lostAt("in the work");
    await expect(run).rejects.toThrow("terminated");
    expect(await inbox().run("k", effect("b"), keep)).toEqual({ repeated: false });
    await end();
  });

  test.each([
    ["before the commit", { repeated: false, result: "again" }, ["b"]],
    ["after the commit", { repeated: true, result: "result" }, ["a"]],
  ] as const)("%s leaves an unknown outcome, which the next run finds out", async (moment, outcome, wanted) => {
    const { run, end } = await lostAt(moment);
    await expect(run).rejects.toMatchObject({ code: "unreachable", retryable: true, outcome: "unknown" });
    expect(await inbox().run("k", effect("b", "again"), keep)).toEqual(outcome);
    expect(await effects()).toEqual(wanted);
    await end();
  });

  test("because the server was stopped is retryable too", async () => {
    const run = inbox().run(
      "k",
      async (transaction) => {
        await effect("a")(transaction);
        const { rows } = await transaction.query("select pg_backend_pid() as pid");
        await pool.query("select pg_terminate_backend($1)", [rows[0].pid]);
        return undefined;
      },
      keep,
    );
    await expect(run).rejects.toMatchObject({ retryable: true });
    expect(await effects()).toEqual([]);
    expect(await inbox().run("k", effect("b"), keep)).toEqual({ repeated: false });
  });
});

describe("work that leaves its transaction", () => {
  test("by going on after a failed statement stores nothing and says so", async () => {
    const run = inbox().run(
      "k",
      async (transaction) => {
        await effect("a")(transaction);
        await transaction.query("select 1 / 0").catch(() => undefined);
        return "fine";
      },
      keep,
    );
    await expect(run).rejects.toMatchObject({ code: "handler-failed", retryable: true });
    expect(await effects()).toEqual([]);
    expect(await inbox().run("k", effect("b"), keep)).toEqual({ repeated: false });
  });

  test.each(["commit", "rollback"])("by a %s of its own is told", async (statement) => {
    const run = inbox().run(
      "k",
      async (transaction) => {
        await effect("a")(transaction);
        await transaction.query(statement);
        return undefined;
      },
      keep,
    );
    await expect(run).rejects.toMatchObject({ code: "handler-failed", retryable: false });
    expect(await effects()).toEqual(statement === "commit" ? ["a"] : []);
  });

  test("not by savepoints", async () => {
    const run = inbox().run(
      "k",
      async (transaction) => {
        await transaction.query("savepoint s");
        await transaction.query("select 1 / 0").catch(() => undefined);
        await transaction.query("rollback to savepoint s");
        return effect("a")(transaction);
      },
      keep,
    );
    expect(await run).toEqual({ repeated: false });
    expect(await effects()).toEqual(["a"]);
  });
});

describe("work that goes on after its time is over", () => {
  test("is refused, and nothing of it is stored outside of its transaction", async () => {
    const one = server.pool({ max: 1 });
    const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
    bus.onError(() => undefined);
    const late: unknown[] = [];
    const open = gate();
    await bus.subscribe(
      "order.placed",
      async (_, { attempt, transaction }) => {
        await effect(`${attempt}`)(transaction);
        if (attempt > 1) return;
        await open.passed;
        await effect("late")(transaction).catch((error) => late.push(error));
      },
      {
        group: "billing",
        timeoutMs: 100,
        retry: { attempts: 3, backoff: fixedBackoff(20) },
        idempotency: { store: postgresInbox<pg.PoolClient>({ pool: one }) },
      },
    );
    await bus.publish("order.placed", {});
    while ((await effects()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    open.pass();
    while (late.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await bus.close();
    expect(late).toEqual([expect.objectContaining({ code: "fenced" })]);
    expect(await effects()).toEqual(["2"]);
  });
});

describe("the table", () => {
  test("is made by many at once, and where it is wanted", async () => {
    await pool.query("drop table waybill_inbox");
    await Promise.all(Array.from({ length: 8 }, () => inbox().migrate()));
    await pool.query("create schema shop");
    const other = postgresInbox<pg.PoolClient>({ pool, table: "shop.handled" });
    await other.migrate();
    expect(await other.run("k", effect("a"), keep)).toEqual({ repeated: false });
    expect((await pool.query("select 1 from shop.handled")).rows).toHaveLength(1);
    expect(postgresInboxDdl("shop.handled")).toContain('create table if not exists "shop"."handled"');
  });

  test("that is missing is a mismatch of configuration", async () => {
    const run = postgresInbox<pg.PoolClient>({ pool, table: "nowhere" }).run("k", effect("a"), keep);
    await expect(run).rejects.toMatchObject({ code: "configuration-mismatch", retryable: false });
  });

  test.each(['x"; drop table effects; --', "a.b.c", "", "1a", "a b"])("cannot be named %s", (table) => {
    expect(() => postgresInbox({ pool, table })).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });

  test("options that are wrong are refused", async () => {
    expect(() => postgresInbox({ pool, isolation: "none" as never })).toThrow(/isolation/);
    await expect(inbox().run("k", effect("a"), { keepMs: 0 })).rejects.toMatchObject({ code: "invalid-option" });
  });
});
