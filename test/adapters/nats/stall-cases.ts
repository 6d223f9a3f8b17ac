import { afterEach, describe, expect, test } from "vitest";
import { natsTransport } from "../../../adapters/nats/index.ts";
import type { Transport, TransportStatus } from "../../../core/transport.ts";
import { startEmbeddedNats } from "../../../testing/index.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import type { TestClient, TestConnection } from "./clients.ts";
import { type CollectingSink, collectingSink, outgoing, pause, until } from "./sink.ts";

/** Long enough for a busy machine to answer in, so that nothing stalls but what the test stalls. */
const STALL_MS = 1_000;
/** The client's own heartbeat: whatever heals before it was not healed by it. */
const PING_MS = 600_000;

interface Setup {
  readonly proxy: TcpProxy;
  readonly connection: TestConnection;
  readonly transport: Transport;
  readonly statuses: string[];
  /** Watches over a connection that is never cut. */
  readonly watcher: CollectingSink;
}

/** What the transport does about sockets that look open and are not, with any client. */
export function stallCases(client: TestClient): void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const setUp = async (): Promise<Setup> => {
    const server = await startEmbeddedNats();
    cleanups.push(() => server.close());
    const proxy = await startTcpProxy(client.name.includes("node") ? server.port : server.websocketPort);
    cleanups.push(() => proxy.close());
    const direct = await client.open(server);
    cleanups.push(() => direct.close());
    const watcher = collectingSink();
    const consumer = await natsTransport({ connection: direct }).consume({ destinations: ["s"], from: "new" }, watcher);
    consumer.credit(1_000_000);
    const through = { port: proxy.port, websocketPort: proxy.port };
    const connection = await client.open(through, { pingInterval: PING_MS, timeout: 5_000 });
    cleanups.push(() => connection.close());
    const transport = natsTransport({ connection, buffer: { stallMs: STALL_MS } });
    const statuses: string[] = [];
    transport.onStatus(({ type }: TransportStatus) => void statuses.push(type));
    return { proxy, connection, transport, statuses, watcher };
  };

  describe(`natsTransport over ${client.name}, on a socket that does not answer`, () => {
    test("heals a half-open one long before the client's own heartbeat", async () => {
      const { proxy, transport, statuses, watcher } = await setUp();
      proxy.halfOpen();
      const waiting = transport.publish([outgoing("s", "1"), outgoing("s", "2")]);
      proxy.heal();
      expect((await waiting).map(({ stored }) => stored)).toEqual([true, true]);
      expect(statuses.slice(0, 1)).toEqual(["stale"]);
      await until(() => watcher.deliveries.length === 2);
    });

    test("sends again what was stored without the confirmation coming through, once and in order", async () => {
      const { proxy, transport, watcher } = await setUp();
      proxy.mute();
      for (let n = 0; n < 50; n++) transport.post!(outgoing("s", String(n)));
      await until(() => watcher.deliveries.length === 50);
      const unconfirmed = transport.health().buffered;
      proxy.heal();
      await transport.flush!();
      const numbers = Array.from({ length: 50 }, (_, n) => String(n));
      await until(() => watcher.deliveries.length === 100);
      expect(unconfirmed).toBe(50);
      expect(watcher.bodies()).toEqual([...numbers, ...numbers]);
    });

    test("calls written messages unknown when they expire or are aborted", async () => {
      const { proxy, connection } = await setUp();
      const transport = natsTransport({ connection, buffer: { maxAgeMs: 1_500 } });
      proxy.mute();
      const controller = new AbortController();
      const aborted = transport.publish([outgoing("s", "1")], { signal: controller.signal });
      const expired = transport.publish([outgoing("s", "2")]);
      await pause(20);
      controller.abort();
      const unknown = { stored: false, outcome: "unknown", retrySafe: false };
      expect(await aborted).toMatchObject([{ ...unknown, error: { code: "aborted" } }]);
      expect(await expired).toMatchObject([{ ...unknown, error: { code: "buffer-expired" } }]);
    });

    test("breaks a socket whose send buffer is full", async () => {
      const { proxy, connection, transport, watcher } = await setUp();
      proxy.stick();
      // More than the kernel takes for a connection on loopback.
      for (let n = 0; n < 48; n++) connection.publish("other", new Uint8Array(1_000_000));
      const waiting = transport.publish([outgoing("s", "1")]);
      proxy.heal();
      expect(await waiting).toEqual([{ stored: true, at: {} }]);
      await until(() => watcher.deliveries.length === 1);
    });
  });
}
