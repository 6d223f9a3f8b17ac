import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryIdempotency } from "../../../adapters/memory/idempotency.ts";
import { memoryTransport } from "../../../adapters/memory/index.ts";
import type { Claim, IdempotencyStore } from "../../../core/delivery/idempotency.ts";
import { stateIdempotency } from "../../../core/delivery/state-idempotency.ts";
import type { StateStore } from "../../../core/transport.ts";
import { fakeClock } from "../../../testing/fake-clock.ts";
import { type Claimers, idempotencyCases } from "./idempotency-cases.ts";

const stores = {
  memory(): Claimers {
    const clock = fakeClock();
    const store = memoryIdempotency({ clock });
    return { first: store, second: store, clock };
  },
  "a state store": async (): Promise<Claimers> => {
    const clock = fakeClock();
    const store = await memoryTransport({ clock }).openState!("claims");
    return { first: stateIdempotency({ store, clock }), second: stateIdempotency({ store, clock }), clock };
  },
};

describe.each(Object.entries(stores))("claims in %s", (_, open) => {
  test.each(idempotencyCases)("$title", async ({ run }) => run(await open()));
});

describe("claims in memory", () => {
  test("beyond maxKeys what was done first is forgotten, and never a claim that holds", async () => {
    const clock = fakeClock();
    const store = memoryIdempotency({ clock, maxKeys: 3 });
    const claim = async (key: string): Promise<string> => {
      const answer = await store.claim(key, { leaseMs: 1_000 });
      return answer.state === "claimed" ? answer.token : answer.state;
    };
    const held = await claim("held");
    for (const key of ["a", "b", "c"]) await store.commit(key, await claim(key), { keepMs: 60_000 });
    // "a" was the oldest of four.
    expect(await Promise.all(["b", "c", "held"].map(claim))).toEqual(["done", "done", "held"]);
    const many = await Promise.all(Array.from({ length: 10 }, (_, n) => claim(`more ${n}`)));
    for (const [n, token] of [held, ...many].entries()) {
      expect(await store.renew(n === 0 ? "held" : `more ${n - 1}`, token, { leaseMs: 1_000 })).toBe(true);
    }
    expect(["done", "held"]).not.toContain(await claim("c"));
  });

  test("an abandoned claim makes room before a done key does", async () => {
    const clock = fakeClock();
    const store = memoryIdempotency({ clock, maxKeys: 2 });
    await store.claim("abandoned", { leaseMs: 1_000 });
    await clock.advance(1_000);
    for (const key of ["a", "b"]) {
      const claim = await store.claim(key, { leaseMs: 1_000 });
      if (claim.state === "claimed") await store.commit(key, claim.token, { keepMs: 60_000 });
    }
    for (const key of ["a", "b"]) expect((await store.claim(key, { leaseMs: 1_000 })).state).toBe("done");
  });

  test("what is remembered stays readable while ten times as many are forgotten", async () => {
    const clock = fakeClock();
    const store = memoryIdempotency({ clock, maxKeys: 1_000 });
    for (let n = 0; n < 10_000; n++) {
      const claim = await store.claim(`${n}`, { leaseMs: 1_000 });
      if (claim.state !== "claimed") throw new Error(`${n} is ${claim.state}`);
      expect(await store.commit(`${n}`, claim.token, { keepMs: 60_000, result: `r${n}` })).toBe(true);
      const last = Math.max(0, n - 998);
      expect(await store.claim(`${last}`, { leaseMs: 1_000 })).toEqual({ state: "done", result: `r${last}` });
    }
    await clock.advance(60_000);
    expect(await store.claim("9999", { leaseMs: 1_000 })).toMatchObject({ state: "claimed" });
  });

  test.each([0, 1.5, Number.NaN])("maxKeys %s is refused", (maxKeys) => {
    expect(() => memoryIdempotency({ maxKeys })).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });
});

test("an entry that is no claim is told and not overwritten", async () => {
  const store = await memoryTransport().openState!("other");
  const claims = stateIdempotency({
    store: { ...store, get: async () => ({ value: "something else", revision: 1 }) },
  });
  await expect(claims.claim("k", { leaseMs: 1 })).rejects.toMatchObject({ code: "configuration-mismatch" });
});

// What follows checks random histories against a model of one key, whose answers the store's must be for some order of
// the calls that ran together: at most one live owner, no second commit unless a lease ran out, done until keepMs.

interface Call {
  readonly actor: number;
  readonly key: number;
  readonly verb: "claim" | "renew" | "commit" | "release";
  readonly ms: number;
}

interface Model {
  readonly owner?: string | undefined;
  readonly untilMs: number;
  readonly done: boolean;
}

type Answer = Claim | boolean | undefined;

interface Answered extends Call {
  /** That the actor had; undefined: it never got the key. */
  readonly token: string | undefined;
  readonly answer: Answer;
}

const free: Model = { untilMs: 0, done: false };

/** The model after the call, or undefined where it would have answered otherwise. */
function after(model: Model, { verb, ms, token, answer }: Answered, now: number): Model | undefined {
  const mine = token !== undefined && model.owner === token;
  if (verb === "claim") {
    const { state } = answer as Claim;
    if (model.untilMs > now) return state === (model.done ? "done" : "held") ? model : undefined;
    return state === "claimed"
      ? { owner: (answer as { token: string }).token, untilMs: now + ms, done: false }
      : undefined;
  }
  if (verb === "release") return mine && !model.done ? free : model;
  // What is over may be forgotten, or not yet.
  if (model.done && model.untilMs <= now && answer === false) return model;
  if (answer !== mine) return undefined;
  if (!mine || model.done) return model;
  return { owner: token, untilMs: now + ms, done: verb === "commit" };
}

function* orders<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length === 0) yield [];
  for (const [n, item] of items.entries()) {
    for (const rest of orders([...items.slice(0, n), ...items.slice(n + 1)])) yield [item, ...rest];
  }
}

/** Every state in which the model may be after the calls of one key that ran together. */
function statesAfter(states: readonly Model[], calls: readonly Answered[], now: number): Model[] {
  const found = new Map<string, Model>();
  for (const state of states) {
    for (const order of orders(calls)) {
      let model: Model | undefined = state;
      for (const call of order) model = model && after(model, call, now);
      if (model) found.set(JSON.stringify(model), model);
    }
  }
  return [...found.values()];
}

const calls: fc.Arbitrary<Call> = fc.record({
  actor: fc.nat(2),
  key: fc.nat(1),
  verb: fc.constantFrom("claim", "claim", "renew", "commit", "commit", "release"),
  ms: fc.integer({ min: 1, max: 40 }),
});
const rounds = fc.array(fc.record({ together: fc.array(calls, { minLength: 1, maxLength: 4 }), passMs: fc.nat(25) }), {
  size: "medium",
});

async function checkHistory(
  history: readonly { readonly together: readonly Call[]; readonly passMs: number }[],
  clock: ReturnType<typeof fakeClock>,
  actors: readonly IdempotencyStore[],
  run: <T>(work: Promise<T>, count: number) => Promise<T>,
): Promise<void> {
  const tokens = new Map<string, string>();
  const models = [[free], [free]] as [Model[], Model[]];
  for (const { together, passMs } of history) {
    const answered = await run(
      Promise.all(
        together.map(async (call): Promise<Answered> => {
          const { actor, key, verb, ms } = call;
          const token = tokens.get(`${actor} ${key}`);
          const store = actors[actor]!;
          const mine = token ?? "none";
          if (verb === "claim") return { ...call, token, answer: await store.claim(`${key}`, { leaseMs: ms }) };
          if (verb === "renew") return { ...call, token, answer: await store.renew(`${key}`, mine, { leaseMs: ms }) };
          if (verb === "commit") return { ...call, token, answer: await store.commit(`${key}`, mine, { keepMs: ms }) };
          return { ...call, token, answer: (await store.release(`${key}`, mine)) as undefined };
        }),
      ),
      together.length,
    );
    for (const key of [0, 1] as const) {
      const ofKey = answered.filter((call) => call.key === key);
      models[key] = statesAfter(models[key], ofKey, clock.now());
      expect(models[key], JSON.stringify(ofKey)).not.toEqual([]);
      for (const { actor, answer } of ofKey) {
        if (typeof answer === "object" && answer.state === "claimed") tokens.set(`${actor} ${key}`, answer.token);
      }
    }
    await clock.advance(passMs);
  }
}

describe("random histories of three claimers are those of a model", () => {
  test("in memory", async () => {
    await fc.assert(
      fc.asyncProperty(rounds, async (history) => {
        const clock = fakeClock();
        const store = memoryIdempotency({ clock });
        await checkHistory(history, clock, [store, store, store], (work) => work);
      }),
      { numRuns: 1_000 },
    );
  });

  test("in a state store whose calls overlap in any way", async () => {
    await fc.assert(
      fc.asyncProperty(rounds, fc.scheduler(), async (history, scheduler) => {
        const clock = fakeClock();
        const store = await memoryTransport({ clock }).openState!("claims");
        const later = <A extends unknown[], T>(call: (...given: A) => Promise<T>) => {
          return (...given: A): Promise<T> => scheduler.schedule(Promise.resolve()).then(() => call(...given));
        };
        const slow: StateStore = {
          ...store,
          get: later(store.get),
          put: later(store.put),
          delete: later(store.delete),
        };
        const actors = [0, 1, 2].map(() => stateIdempotency({ store: slow, clock }));
        await checkHistory(history, clock, actors, async (work, count) => {
          // Keys are hashed first, by threads: only then does the order lie with the scheduler.
          while (scheduler.count() < count) await new Promise(setImmediate);
          return scheduler.waitFor(work);
        });
      }),
      { numRuns: 1_000 },
    );
  });
});
