import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jetstreamTransport } from "../../../adapters/jetstream/index.ts";
import type { PublishOutcome } from "../../../core/transport.ts";
import { fakeClock } from "../../../testing/fake-clock.ts";
import { FakeServer } from "./fake-server.ts";

type Step =
  | { readonly do: "publish"; readonly keys: readonly number[] }
  | { readonly do: "serve" | "refuse" | "answer" | "die"; readonly count: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "abort"; readonly nth: number }
  | { readonly do: "notice" | "dial" | "connect" };

const step: fc.Arbitrary<Step> = fc.oneof(
  // Key 0 stands for none.
  fc.record({
    do: fc.constant("publish" as const),
    keys: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }),
  }),
  fc.record({
    do: fc.constantFrom("serve" as const, "refuse" as const, "answer" as const, "die" as const),
    count: fc.integer({ min: 0, max: 20 }),
  }),
  fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
  fc.record({ do: fc.constant("abort" as const), nth: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ do: fc.constantFrom("notice" as const, "dial" as const, "connect" as const) }),
);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the window of unconfirmed events", () => {
  test("settles every event once, stores none twice and keeps each key's order, however the connection fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50, size: "medium" }), async (steps) => {
        const server = new FakeServer();
        const clock = fakeClock();
        // Nothing expires: what is accepted has to be stored.
        const transport = jetstreamTransport({
          connection: server,
          clock,
          buffer: { maxAgeMs: 120_000_000, stallMs: 1_000, maxUnconfirmed: 7 },
        });
        const outcomes = new Map<number, PublishOutcome>();
        const aborts: AbortController[] = [];
        let count = 0;
        let settled = 0;
        const check = (): void => {
          const keys = server.onTheWay().filter((body) => {
            // What was given up is not sent again, so that it cannot come behind what follows.
            return !body.startsWith("0 ") && !outcomes.has(Number(body.split(" ")[1]));
          });
          const ids = new Set(keys);
          const perKey = new Set([...ids].map((body) => body.split(" ")[0]));
          // Copies of one event may be on their way together, never two events of a key.
          expect(perKey.size).toBe(ids.size);
        };
        for (const one of steps) {
          if (one.do === "publish") {
            for (const key of one.keys) {
              const n = count++;
              const abort = new AbortController();
              aborts.push(abort);
              const message = {
                destination: "s",
                body: `${key} ${n}`,
                headers: [],
                dedupId: `id-${n}`,
                ...(key > 0 && { key: `k${key}` }),
              };
              void transport.publish([message], { signal: abort.signal }).then(([outcome]) => {
                settled++;
                outcomes.set(n, outcome!);
              });
            }
          } else if (one.do === "serve") server.serve(one.count);
          else if (one.do === "refuse") server.serve(Math.min(one.count, 2), true);
          else if (one.do === "answer") server.answer(one.count);
          else if (one.do === "advance") await clock.advance(one.ms);
          else if (one.do === "abort") aborts.at(-1 - one.nth)?.abort();
          else if (one.do === "die" && server.phase === "connected" && server.socketAlive) server.die(one.count);
          else if (one.do === "notice" && !server.socketAlive && server.phase === "connected") server.notice();
          else if (one.do === "dial" && server.phase === "lost") server.dial();
          else if (one.do === "connect" && server.phase === "dialling") {
            await turn();
            server.connect();
          }
          await turn();
          check();
        }
        if (!server.socketAlive && server.phase === "connected") server.notice();
        await turn();
        if (server.phase === "lost") server.dial();
        await turn();
        if (server.phase === "dialling") server.connect();
        await turn();
        for (let round = 0; round < 400 && settled < count; round++) {
          server.serve(1_000);
          server.answer(1_000);
          await turn();
          check();
          await clock.advance(500);
        }
        expect(settled).toBe(count);
        expect(transport.health()).toEqual({ state: "connected", buffered: 0, bufferedBytes: 0 });
        expect(new Set(server.stored).size).toBe(server.stored.length);
        const isStored = new Set(server.stored.map((body) => Number(body.split(" ")[1])));
        for (const [n, outcome] of outcomes) {
          if (outcome.stored) expect(isStored.has(n)).toBe(true);
          else if (outcome.outcome === "failed") expect(isStored.has(n)).toBe(false);
          // Each was sent by this transport alone: no answer may call it a duplicate.
          if (outcome.stored) expect(outcome.at.duplicate).toBeUndefined();
        }
        for (let key = 1; key <= 3; key++) {
          const order = server.stored
            .filter((body) => body.startsWith(`${key} `))
            .map((body) => Number(body.split(" ")[1]));
          const confirmed = order.filter((n) => outcomes.get(n)!.stored);
          expect(confirmed).toEqual([...confirmed].sort((a, b) => a - b));
        }
        await transport.close();
        expect(clock.pending).toBe(0);
      }),
      {
        numRuns: 300,
        // Given up while the server was asked whether it lives: the question ended with the transport only later.
        examples: [
          [
            [
              { do: "publish", keys: [0] },
              { do: "advance", ms: 1_000 },
              { do: "abort", nth: 0 },
            ],
          ],
        ],
      },
    );
  });

  test("holds one timer for a thousand events and none when idle", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock });
    const publishing = Promise.all(
      Array.from({ length: 1_000 }, (_, n) => transport.publish([{ destination: "s", body: String(n), headers: [] }])),
    );
    await turn();
    expect(clock.pending).toBe(1);
    server.serve(1_000);
    server.answer(1_000);
    expect((await publishing).flat().every(({ stored }) => stored)).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("refuses what does not fit the buffer, and expires what nobody answers", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock, buffer: { maxEvents: 2, maxAgeMs: 10_000 } });
    const message = { destination: "s", body: "x", headers: [] };
    const outcomes = transport.publish([message, { ...message, dedupId: "own" }, message]);
    await clock.advance(10_001);
    expect(await outcomes).toMatchObject([
      { outcome: "unknown", retrySafe: false, error: { code: "buffer-expired", retryable: true } },
      { outcome: "unknown", retrySafe: true, error: { code: "buffer-expired" } },
      { outcome: "failed", retrySafe: true, error: { code: "buffer-full", retryable: true } },
    ]);
    expect(transport.post!(message)).toBe(true);
    expect(transport.post!(message)).toBe(true);
    expect(transport.post!(message)).toBe(false);
    const closing = transport.close({ deadlineMs: 1_000 });
    await clock.advance(1_000);
    expect(await closing).toEqual({ unsent: 2, unsettled: 0 });
  });

  test("sends again, in order, as soon as there is another connection", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock });
    for (const body of ["1", "2", "3"]) transport.post!({ destination: "s", body, headers: [] });
    await turn();
    server.die(1);
    transport.post!({ destination: "s", body: "4", headers: [] });
    server.notice();
    await turn();
    server.dial();
    server.connect();
    await turn();
    expect(server.onTheWay()).toEqual(["1", "2", "3", "4"]);
    server.serve(4);
    server.answer(4);
    expect([server.stored, transport.health().buffered]).toEqual([["1", "2", "3", "4"], 0]);
  });

  test("sends again over a connection that lives what is not answered in time, which is stored once", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock });
    const publishing = transport.publish([{ destination: "s", body: "x", headers: [] }]);
    await clock.advance(0);
    server.serve(1);
    server.loseAnswers();
    await clock.advance(5_000);
    server.answer(0);
    await clock.advance(0);
    expect(server.onTheWay()).toEqual(["x"]);
    server.serve(1);
    server.answer(1);
    expect([await publishing, server.stored]).toEqual([[{ stored: true, at: { sequence: 1 } }], ["x"]]);
  });

  test("stores once what another transport sent already, and says so", async () => {
    const server = new FakeServer();
    const message = { destination: "s", body: "x", headers: [], dedupId: "own" };
    const outcomes: unknown[] = [];
    for (const _ of [1, 2]) {
      const publishing = jetstreamTransport({ connection: server }).publish([message]);
      await turn();
      server.serve(1);
      server.answer(1);
      outcomes.push(...(await publishing));
    }
    expect(server.stored).toEqual(["x"]);
    expect(outcomes).toEqual([
      { stored: true, at: { sequence: 1 } },
      { stored: true, at: { sequence: 1, duplicate: true } },
    ]);
  });

  test("has no more at the server than may be unconfirmed, and sends on with each answer", async () => {
    const server = new FakeServer();
    const transport = jetstreamTransport({ connection: server, clock: fakeClock(), buffer: { maxUnconfirmed: 3 } });
    for (let n = 0; n < 8; n++) transport.post!({ destination: "s", body: String(n), headers: [] });
    await turn();
    expect(server.onTheWay()).toEqual(["0", "1", "2"]);
    server.serve(1);
    server.answer(1);
    await turn();
    expect(server.onTheWay()).toEqual(["1", "2", "3"]);
  });

  test("gives up what no stream takes after 16 times, and reaches a stream that comes meanwhile", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock });
    const publish = () => transport.publish([{ destination: "s", body: "x", headers: [] }]);
    const settled: unknown[] = [];
    void publish().then((outcomes) => settled.push(...outcomes));
    let tries = 0;
    for (; tries < 40 && settled.length === 0; tries++) {
      await clock.advance(250);
      server.serve(1, true);
      server.answer(1);
      await turn();
    }
    expect(settled).toMatchObject([{ stored: false, outcome: "failed", error: { code: "no-responders" } }]);
    expect(tries).toBe(16);
    const later = publish();
    await clock.advance(0);
    server.serve(1, true);
    server.answer(1);
    await clock.advance(250);
    server.serve(1);
    server.answer(1);
    expect(await later).toEqual([{ stored: true, at: { sequence: 1 } }]);
  });

  test("a close waits for what is answered within its deadline, and leaves no subscription on the connection", async () => {
    const server = new FakeServer();
    const clock = fakeClock();
    const transport = jetstreamTransport({ connection: server, clock });
    transport.post!({ destination: "s", body: "x", headers: [] });
    const closing = transport.close({ deadlineMs: 10_000 });
    await clock.advance(1_000);
    expect(server.listeners).toBe(1);
    server.serve(1);
    server.answer(1);
    expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
    expect(server.listeners).toBe(0);
  });
});
