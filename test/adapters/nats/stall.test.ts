import { describe, expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import { type NatsBufferOptions, natsTransport } from "../../../adapters/nats/index.ts";
import { FakeConnection } from "./fake-connection.ts";
import { outgoing } from "./sink.ts";

/** A client that can leave a dead socket by itself, and has one that can be broken under it. */
class ReplaceableConnection extends FakeConnection {
  reconnects = 0;
  broken = 0;
  readonly protocol = { transport: { socket: { destroy: () => void this.broken++ } } };

  reconnect(): Promise<void> {
    this.reconnects++;
    return Promise.resolve();
  }
}

function setUp(buffer: NatsBufferOptions = {}) {
  const connection = new ReplaceableConnection();
  const clock = fakeClock();
  const transport = natsTransport({ connection, clock, buffer });
  const stale: string[] = [];
  transport.onStatus(({ type }) => void stale.push(type));
  return { connection, clock, transport, stale };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a socket that does not answer", () => {
  test("is replaced after the stall time, and broken when that did not help; what waited goes over the next", async () => {
    const { connection, clock, transport, stale } = setUp();
    connection.die(0);
    const publishing = transport.publish([outgoing("a", "1")]);
    await clock.advance(4_999);
    expect([connection.reconnects, stale]).toEqual([0, []]);
    await clock.advance(1);
    expect([connection.reconnects, connection.broken, stale]).toEqual([1, 0, ["stale"]]);
    await clock.advance(5_000);
    expect([connection.reconnects, connection.broken]).toEqual([2, 1]);
    connection.notice();
    connection.dial();
    await turn();
    connection.connect();
    await turn();
    connection.serve(10);
    expect(await publishing).toMatchObject([{ stored: true }]);
    expect([connection.stored, clock.pending]).toEqual([["1"], 0]);
  });

  test("is left alone while nothing waits for it, and while it answers", async () => {
    const { connection, clock, transport } = setUp();
    await clock.advance(60_000);
    for (let n = 0; n < 20; n++) {
      const publishing = transport.publish([outgoing("a", String(n))]);
      await clock.advance(1_000);
      connection.serve(10);
      await publishing;
    }
    expect([connection.reconnects, clock.pending]).toEqual([0, 0]);
  });
});

describe("what nobody confirms", () => {
  test("is rejected when it is too old: unknown where it was written, failed where it was not", async () => {
    const { connection, clock, transport } = setUp({ maxAgeMs: 10_000, stallMs: 60_000 });
    const written = transport.publish([outgoing("a", "1")]);
    await clock.advance(1);
    connection.die(1);
    connection.notice();
    await turn();
    const waiting = transport.publish([outgoing("a", "2")]);
    await clock.advance(10_000);
    const error = { code: "buffer-expired", retryable: true };
    expect(await written).toMatchObject([{ stored: false, outcome: "unknown", retrySafe: false, error }]);
    expect(await waiting).toMatchObject([{ stored: false, outcome: "failed", retrySafe: true, error }]);
    expect([transport.health().buffered, clock.pending]).toEqual([0, 0]);
  });
});
