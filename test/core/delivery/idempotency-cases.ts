import type { IdempotencyStore } from "../../../core/delivery/idempotency.ts";
import type { FakeClock } from "../../../testing/fake-clock.ts";

/** Two claimers over the same claims, as two processes are, with one clock. */
export interface Claimers {
  readonly first: IdempotencyStore;
  readonly second: IdempotencyStore;
  readonly clock: FakeClock;
}

/** What every store of claims has to do. Runs in pages too, so it throws by itself. */
export interface IdempotencyCase {
  readonly title: string;
  run(claimers: Claimers): Promise<void>;
}

const lease = { leaseMs: 1_000 };
const keep = { keepMs: 10_000 };

/** Texts that break what is put together from texts; each is another key. */
export const hostileTexts: readonly string[] = [
  "",
  " ",
  "\0",
  "a\0b",
  "\n",
  "\ud800",
  "\udc00",
  "\ufffd",
  "__proto__",
  "constructor",
  "a",
  "A",
  "é",
  "é".normalize("NFD"),
  "a.b",
  ".a",
  "*",
  ">",
  "$KV.x",
  "'; drop table claims; --",
  "x".repeat(5_000),
  "x".repeat(5_001),
];

function equal(actual: unknown, wanted: unknown): void {
  const [found, asked] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (found !== asked) throw new Error(`${found} instead of ${asked}`);
}

async function claimed(store: IdempotencyStore, key: string): Promise<string> {
  const claim = await store.claim(key, lease);
  if (claim.state !== "claimed") throw new Error(`${JSON.stringify(claim)} instead of a claim`);
  return claim.token;
}

export const idempotencyCases: readonly IdempotencyCase[] = [
  {
    title: "of two that claim a key at once one gets it, and the other hears for how long",
    async run({ first, second }) {
      for (let n = 0; n < 8; n++) {
        const claims = await Promise.all([first, second, first, second].map((each) => each.claim(`key ${n}`, lease)));
        const states = claims.map(({ state }) => state).sort();
        equal(states, ["claimed", "held", "held", "held"]);
        for (const claim of claims) if (claim.state === "held") equal(claim.retryAfterMs, 1_000);
      }
    },
  },
  {
    title: "a claim holds until its lease is over, then passes on",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      await clock.advance(999);
      equal(await second.claim("k", lease), { state: "held", retryAfterMs: 1 });
      await clock.advance(1);
      if ((await claimed(second, "k")) === token) throw new Error("the same token twice");
    },
  },
  {
    title: "a renewed claim holds longer, and one that passed on cannot be renewed",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      await clock.advance(900);
      equal(await first.renew("k", token, lease), true);
      await clock.advance(999);
      equal(await second.claim("k", lease), { state: "held", retryAfterMs: 1 });
      await clock.advance(1);
      const next = await claimed(second, "k");
      equal(await first.renew("k", token, lease), false);
      equal(await second.renew("k", next, lease), true);
    },
  },
  {
    title: "who lost the key cannot commit it; who has it can",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      await clock.advance(1_000);
      const next = await claimed(second, "k");
      equal(await first.commit("k", token, { ...keep, result: "late" }), false);
      equal(await second.commit("k", next, { ...keep, result: "in time" }), true);
      equal(await first.commit("k", token, { ...keep, result: "later" }), false);
      equal(await first.claim("k", lease), { state: "done", result: "in time" });
    },
  },
  {
    title: "a claim whose lease is over is committed, as long as nobody has taken the key",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      await clock.advance(5_000);
      equal(await first.commit("k", token, keep), true);
      equal(await second.claim("k", lease), { state: "done" });
    },
  },
  {
    title: "a released key is free at once, and another's claim cannot be released",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      await second.release("k", "another's token");
      equal((await second.claim("k", lease)).state, "held");
      await first.release("k", token);
      const next = await claimed(second, "k");
      await first.release("k", token);
      equal((await first.claim("k", lease)).state, "held");
      equal(await second.commit("k", next, keep), true);
      await second.release("k", next);
      equal((await first.claim("k", lease)).state, "done");
      await first.release("never claimed", token);
      await clock.advance(0);
    },
  },
  {
    title: "a done key is remembered for keepMs, with its result, and no longer",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      equal(await first.commit("k", token, { ...keep, result: '{"orderId":"o-1"}' }), true);
      const plain = await claimed(first, "without result");
      equal(await first.commit("without result", plain, keep), true);
      await clock.advance(9_999);
      equal(await second.claim("k", lease), { state: "done", result: '{"orderId":"o-1"}' });
      equal(await second.claim("without result", lease), { state: "done" });
      await clock.advance(1);
      await claimed(second, "k");
    },
  },
  {
    title: "a commit that is called again is true again and changes nothing",
    async run({ first, second, clock }) {
      const token = await claimed(first, "k");
      equal(await first.commit("k", token, { ...keep, result: "once" }), true);
      await clock.advance(9_000);
      equal(await first.commit("k", token, { ...keep, result: "twice" }), true);
      equal(await first.renew("k", token, { leaseMs: 60_000 }), true);
      equal(await second.claim("k", lease), { state: "done", result: "once" });
      await clock.advance(1_000);
      await claimed(second, "k");
    },
  },
  {
    title: "keys and results may hold any character, and no two keys are one",
    async run({ first, second }) {
      const tokens: string[] = [];
      for (const key of hostileTexts) tokens.push(await claimed(first, key));
      equal(new Set(tokens).size, hostileTexts.length);
      for (const [n, key] of hostileTexts.entries()) {
        equal(await first.commit(key, tokens[n]!, { ...keep, result: hostileTexts.at(-n)! }), true);
      }
      for (const [n, key] of hostileTexts.entries()) {
        equal(await second.claim(key, lease), { state: "done", result: hostileTexts.at(-n)! });
      }
    },
  },
];
