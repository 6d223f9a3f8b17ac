import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { natsTransport } from "../../../adapters/nats/index.ts";
import type { Clock } from "../../../core/clock.ts";
import { FakeConnection } from "./fake-connection.ts";
import { outgoing } from "./sink.ts";

/** Time stands still: nothing expires and no watchdog helps. */
function countingClock(): Clock & { timers: number; running: number } {
  return {
    timers: 0,
    running: 0,
    now: () => 0,
    after() {
      this.timers++;
      this.running++;
      return { cancel: () => void this.running-- };
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Step =
  | { readonly do: "post"; readonly count: number }
  | { readonly do: "serve"; readonly count: number }
  | { readonly do: "die"; readonly reads: number }
  | { readonly do: "microtasks"; readonly count: number }
  | { readonly do: "notice" | "dial" | "connect" | "turn" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("post" as const), count: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ do: fc.constant("serve" as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ do: fc.constant("die" as const), reads: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ do: fc.constant("microtasks" as const), count: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constantFrom("notice" as const, "dial" as const, "connect" as const, "turn" as const) }),
);

describe("the outage buffer", () => {
  test("loses nothing, keeps the order and repeats only what was unconfirmed, however a client fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "medium" }), async (steps) => {
        const connection = new FakeConnection();
        const transport = natsTransport({ connection, clock: countingClock() });
        let accepted = 0;
        let mayRepeat = 0;
        for (const one of steps) {
          if (one.do === "post") {
            // So large that some turns write before they end, and some do not.
            for (let n = 0; n < one.count; n++) {
              if (transport.post!(outgoing("a", String(accepted).padStart(900)))) accepted++;
            }
          } else if (one.do === "serve") connection.serve(one.count);
          else if (one.do === "microtasks") for (let n = 0; n < one.count; n++) await undefined;
          else if (one.do === "turn") await turn();
          else if (one.do === "die" && connection.phase === "connected" && connection.socketAlive) {
            mayRepeat += transport.health().buffered;
            connection.die(one.reads);
          } else if (one.do === "notice" && !connection.socketAlive && connection.phase === "connected") {
            connection.notice();
          } else if (one.do === "dial" && connection.phase !== "connected") connection.dial();
          else if (one.do === "connect" && connection.phase === "dialling") {
            // A handshake takes the network, so the client's earlier statuses are out by then.
            await turn();
            connection.connect();
          }
        }
        if (!connection.socketAlive && connection.phase === "connected") connection.notice();
        if (connection.phase !== "connected") {
          connection.dial();
          await turn();
          connection.connect();
        }
        await turn();
        for (let round = 0; round < 50 && transport.health().buffered > 0; round++) {
          connection.serve(1_000);
          await turn();
        }
        expect(transport.health()).toEqual({ state: "connected", buffered: 0, bufferedBytes: 0 });
        const stored = new Set(connection.stored.map((body) => body.trim()));
        expect([...stored]).toEqual(Array.from({ length: accepted }, (_, n) => String(n)));
        expect(connection.stored.length - accepted).toBeLessThanOrEqual(mayRepeat);
      }),
      // The example: what is posted between two dials must not go out before what the second one dropped.
      {
        numRuns: 500,
        examples: [[[{ do: "die", reads: 0 }, { do: "notice" }, { do: "dial" }, { do: "post", count: 20 }]]],
      },
    );
  });

  test("confirms a batch by one PING, a burst by few, and holds one timer while anything waits", async () => {
    const connection = new FakeConnection();
    const clock = countingClock();
    const transport = natsTransport({ connection, clock });
    for (let n = 0; n < 1_000; n++) transport.post!(outgoing("a", String(n)));
    await turn();
    expect([connection.flushes, clock.timers, clock.running]).toEqual([1, 1, 1]);
    for (let n = 0; n < 100; n++) {
      transport.post!(outgoing("a", String(n)));
      await turn();
    }
    expect(connection.flushes).toBeLessThanOrEqual(8);
    expect(clock.running).toBe(1);
    for (let round = 0; round < 3; round++) {
      connection.serve(10_000);
      await turn();
    }
    expect(transport.health().buffered).toBe(0);
    expect(clock.running).toBe(0);
    expect(connection.stored.length).toBe(1_100);
  });

  test("writes no more than its window ahead of the confirmations", async () => {
    const connection = new FakeConnection();
    connection.info = { max_payload: 1_000_000 };
    const transport = natsTransport({ connection, clock: countingClock() });
    for (let n = 0; n < 40; n++) transport.post!(outgoing("a", "x".repeat(500_000)));
    await turn();
    connection.serve(1_000);
    expect(connection.stored.length).toBeLessThan(15);
    for (let round = 0; round < 20; round++) {
      await turn();
      connection.serve(1_000);
    }
    expect(connection.stored.length).toBe(40);
  });

  test("repeats nothing when the server tells about itself anew while something is on its way", async () => {
    const connection = new FakeConnection();
    const transport = natsTransport({ connection, clock: countingClock() });
    for (const body of ["1", "2"]) transport.post!(outgoing("a", body));
    await turn();
    // A cluster that changed: the same connection, and another object.
    connection.info = { max_payload: 1_000 };
    transport.post!(outgoing("a", "3"));
    for (let round = 0; round < 3; round++) {
      await turn();
      connection.serve(10);
    }
    await turn();
    expect(connection.stored).toEqual(["1", "2", "3"]);
    expect(transport.health().buffered).toBe(0);
  });

  test("counts what an abort leaves behind as free again", async () => {
    const connection = new FakeConnection();
    connection.die(0);
    connection.notice();
    const transport = natsTransport({ connection, clock: countingClock() });
    await turn();
    const controller = new AbortController();
    const waiting = transport.publish([outgoing("a", "1"), outgoing("a", "2")], { signal: controller.signal });
    expect(transport.health()).toMatchObject({ state: "disconnected", buffered: 2, bufferedBytes: 2 });
    controller.abort(new Error("page left"));
    expect(await waiting).toMatchObject([
      { outcome: "failed", retrySafe: true, error: { code: "aborted", cause: { message: "page left" } } },
      { outcome: "failed", retrySafe: true, error: { code: "aborted" } },
    ]);
    expect(transport.health()).toMatchObject({ buffered: 0, bufferedBytes: 0 });
    connection.dial();
    connection.connect();
    expect(transport.post!(outgoing("a", "3"))).toBe(true);
    await turn();
    connection.serve(10);
    expect(connection.stored).toEqual(["3"]);
  });
});
