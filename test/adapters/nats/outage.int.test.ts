import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { natsTransport } from "../../../adapters/nats/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { type TestConnection, tcpClient } from "./clients.ts";
import { outgoing, pause } from "./sink.ts";

const PER_SECOND = 1_000;
const decoder = new TextDecoder();

interface Run {
  /** How often each event arrived. */
  readonly arrivals: Map<number, number>;
  /** In the order of their first arrival. */
  readonly firsts: number[];
  readonly offered: number;
  readonly accepted: Set<number>;
  /** What waited for a confirmation when the connection was cut. */
  readonly unconfirmed: number;
}

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

const flushed = (connection: TestConnection): Promise<boolean> =>
  connection.flush().then(
    () => true,
    () => false,
  );

/** Publishes at a steady rate through a cut; a subscriber watches over a connection of its own. */
async function throughCut(
  how: "reset" | "halfOpen",
  outageMs: number,
  pingInterval: number,
  start: (connection: TestConnection) => { offer(n: number): boolean; buffered(): number; finish(): Promise<void> },
): Promise<Run> {
  await using proxy: TcpProxy = await startTcpProxy(server.port);
  const watcher = await tcpClient.open(server);
  const arrivals = new Map<number, number>();
  const firsts: number[] = [];
  watcher.subscribe("outage", {
    callback(_, message) {
      const n = Number(decoder.decode(message.data));
      if (!arrivals.has(n)) firsts.push(n);
      arrivals.set(n, (arrivals.get(n) ?? 0) + 1);
    },
  });
  await watcher.flush();
  // Patience as in production: on a starved machine short limits see silence where there is only a late turn.
  const through = { port: proxy.port, websocketPort: 0 };
  const connection = await tcpClient.open(through, { timeout: 2_000, pingInterval });
  const subject = start(connection);
  const accepted = new Set<number>();
  let offered = 0;
  const startedMs = performance.now();
  const publishUntil = async (endMs: number): Promise<void> => {
    for (let nowMs = 0; nowMs < endMs; nowMs = performance.now() - startedMs) {
      for (; offered < (nowMs / 1_000) * PER_SECOND; offered++) if (subject.offer(offered)) accepted.add(offered);
      await pause(1);
    }
  };
  await publishUntil(500);
  // In the middle of a burst, so that the cut finds messages that no broker has confirmed.
  for (let n = 0; n < 200; n++, offered++) if (subject.offer(offered)) accepted.add(offered);
  await Promise.resolve();
  const unconfirmed = subject.buffered();
  proxy[how]();
  const healed = pause(outageMs).then(() => proxy.heal());
  await publishUntil(500 + outageMs + 1_000);
  await healed;
  await subject.finish();
  await watcher.flush();
  await connection.close();
  await watcher.close();
  return { arrivals, firsts, offered, accepted, unconfirmed };
}

describe("a NATS outage", () => {
  for (const how of ["reset", "halfOpen"] as const) {
    for (const outageMs of [20, 1_000, 10_000]) {
      test(`loses nothing that was accepted: ${how}, ${outageMs} ms`, async () => {
        const run = await throughCut(how, outageMs, 10_000, (connection) => {
          const transport = natsTransport({ connection, buffer: { stallMs: 3_000 } });
          return {
            offer: (n) => transport.post!(outgoing("outage", String(n), "ce-id", String(n))),
            buffered: () => transport.health().buffered,
            finish: async () => expect(await transport.close({ deadlineMs: 40_000 })).toMatchObject({ unsent: 0 }),
          };
        });
        const repeats = [...run.arrivals.values()].reduce((sum, times) => sum + times - 1, 0);
        expect(run.accepted.size).toBe(run.offered);
        expect([...run.accepted].filter((n) => !run.arrivals.has(n))).toEqual([]);
        expect(run.firsts).toEqual(Array.from({ length: run.offered }, (_, n) => n));
        expect(run.unconfirmed).toBeGreaterThan(0);
        expect(repeats).toBeLessThanOrEqual(run.unconfirmed);
        console.log(`${how} ${outageMs} ms: ${run.offered} events, ${run.unconfirmed} unconfirmed, ${repeats} repeats`);
      });
    }

    test(`loses events when the client publishes alone: ${how}, 1000 ms`, async () => {
      const run = await throughCut(how, 1_000, 500, (connection) => ({
        offer(n) {
          connection.publish("outage", new TextEncoder().encode(String(n)));
          return true;
        },
        buffered: () => 0,
        async finish() {
          await pause(1_000);
          // It may notice only now that it was cut off, and fails what it is asked meanwhile.
          while (!(await flushed(connection))) await pause(200);
        },
      }));
      const lost = run.offered - run.arrivals.size;
      expect(lost).toBeGreaterThan(0);
      console.log(`${how} 1000 ms, plain client: ${lost} of ${run.offered} lost without an error`);
    });
  }

  test("a killed server loses nothing either: what waits is stored once it is back", async () => {
    const connection = await tcpClient.open(server);
    const transport = natsTransport({ connection });
    expect(await transport.publish([outgoing("kill", "1")])).toEqual([{ stored: true, at: {} }]);
    await server.kill();
    const waiting = transport.publish([outgoing("kill", "2")]);
    await pause(200);
    await server.restart();
    expect(await waiting).toEqual([{ stored: true, at: {} }]);
    expect(transport.health()).toMatchObject({ state: "connected", buffered: 0 });
    await transport.close();
    await connection.close();
  });
});
