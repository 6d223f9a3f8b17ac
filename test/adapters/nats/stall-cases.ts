import { afterEach, describe, expect, test } from "vitest";
import { natsTransport } from "../../../adapters/nats/index.ts";
import type { Transport, TransportStatus } from "../../../core/transport.ts";
import { startEmbeddedNats } from "../../../testing/index.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import type { TestClient, TestConnection } from "./clients.ts";
import { type CollectingSink, collectingSink, outgoing, pause, until } from "./sink.ts";

const STALL_MS = 250;
/** Three stall periods, and the client's wait before it dials. */
const HEALED_MS = 3 * STALL_MS + 300;

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
    // Pings far apart: whatever heals here, it is not the client's own heartbeat.
    const connection = await client.open(through, { pingInterval: 600_000, timeout: STALL_MS });
    cleanups.push(() => connection.close());
    const transport = natsTransport({ connection, buffer: { stallMs: STALL_MS } });
    const statuses: string[] = [];
    transport.onStatus(({ type }: TransportStatus) => void statuses.push(type));
    return { proxy, connection, transport, statuses, watcher };
  };

  describe(`natsTransport over ${client.name}, on a socket that does not answer`, () => {
    test("heals a half-open one within three stall periods", async () => {
      const { proxy, transport, statuses, watcher } = await setUp();
      proxy.halfOpen();
      const startedMs = Date.now();
      const waiting = transport.publish([outgoing("s", "1"), outgoing("s", "2")]);
      proxy.heal();
      expect((await waiting).map(({ stored }) => stored)).toEqual([true, true]);
      expect(Date.now() - startedMs).toBeLessThan(HEALED_MS);
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
      const transport = natsTransport({ connection, buffer: { maxAgeMs: 100 } });
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
      const startedMs = Date.now();
      const waiting = transport.publish([outgoing("s", "1")]);
      proxy.heal();
      expect(await waiting).toEqual([{ stored: true, at: {} }]);
      expect(Date.now() - startedMs).toBeLessThan(HEALED_MS + 2_500);
      await until(() => watcher.deliveries.length === 1);
    });
  });
}
