import type { Server, Socket } from "node:net";
import { EventError } from "../../core/errors.ts";
import { NatsEngine, type NatsEngineOptions, type NatsPeer } from "./engine.ts";
import { openWebSocketPort, type WebSocketPort } from "./websocket-port.ts";

/** Options of {@link startEmbeddedNats}. */
export interface EmbeddedNatsOptions extends NatsEngineOptions {
  /** TCP port. Default: a free one. */
  readonly port?: number | undefined;
  /** WebSocket port. Default: a free one. */
  readonly websocketPort?: number | undefined;
  /** Default: `"127.0.0.1"`. */
  readonly host?: string | undefined;
}

/** A running embedded server. */
export interface EmbeddedNats extends AsyncDisposable {
  /** Where clients connect over TCP. */
  readonly port: number;
  /** Where clients connect over WebSocket. */
  readonly websocketPort: number;
  /** `nats://host:port`. */
  readonly url: string;
  /** `ws://host:port`. */
  readonly websocketUrl: string;
  /** Cuts every connection and goes on serving. */
  disconnectAll(): void;
  /** Cuts every connection and frees both ports. */
  close(): Promise<void>;
}

/**
 * Starts a core NATS server inside this process, over TCP and WebSocket: for development and tests, never for
 * production. No JetStream, TLS or clustering. Runs on Node, Deno and Bun; WebSocket needs the package `ws`.
 *
 * Throws `EventError` `peer-missing` without `ws`, `unreachable` when a port is taken, `unsupported` where the host has
 * no TCP sockets (a browser).
 *
 * @example
 * ```ts
 * import { startEmbeddedNats } from "waybill/testing";
 *
 * await using server = await startEmbeddedNats();
 * console.log(server.url, server.websocketUrl);
 * ```
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions = {}): Promise<EmbeddedNats> {
  const { host = "127.0.0.1", port = 0, websocketPort = 0 } = options;
  const engine = new NatsEngine(options);
  const sockets = new Set<Socket>();
  const { createServer } = await loadNet();
  const tcp = createServer((socket) => serve(engine, socket, sockets));
  const tcpPort = await listen(tcp, port, host);
  let webSocket: WebSocketPort;
  try {
    webSocket = await openWebSocketPort(engine, websocketPort, host);
  } catch (reason) {
    tcp.close();
    throw reason;
  }
  let closing: Promise<void> | undefined;
  const disconnectAll = (): void => {
    engine.disconnectAll();
    for (const socket of sockets) socket.destroy();
    webSocket.disconnectAll();
  };
  const close = (): Promise<void> => {
    closing ??= (async () => {
      const freed = new Promise<void>((resolve) => tcp.close(() => resolve()));
      disconnectAll();
      await Promise.all([freed, webSocket.close()]);
    })();
    return closing;
  };
  return {
    port: tcpPort,
    websocketPort: webSocket.port,
    url: `nats://${host}:${tcpPort}`,
    websocketUrl: `ws://${host}:${webSocket.port}`,
    disconnectAll,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Lazily, so that the rest of the entry still bundles for a browser. */
async function loadNet(): Promise<typeof import("node:net")> {
  try {
    return await import("node:net");
  } catch (cause) {
    throw new EventError("unsupported", "embedded NATS: this host has no TCP sockets", { cause });
  }
}

function serve(engine: NatsEngine, socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.setNoDelay(true);
  const peer: NatsPeer = {
    write(part) {
      // Corking gathers what one turn writes into one segment.
      if (socket.writableCorked === 0) {
        socket.cork();
        setImmediate(() => socket.uncork());
      }
      socket.write(part);
    },
    close: () => void socket.end(),
  };
  const session = engine.connect(peer);
  socket.on("data", (chunk) => session.feed(chunk));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    sockets.delete(socket);
    session.close();
  });
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new EventError("unreachable", `embedded NATS: cannot listen on ${host}:${port}`, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
