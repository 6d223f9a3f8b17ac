import type { WebSocket } from "ws";
import { EventError } from "../../core/errors.ts";
import type { NatsEngine, NatsPeer } from "./engine.ts";
import { joined } from "./joined.ts";

/** A listening WebSocket port. */
export interface WebSocketPort {
  readonly port: number;
  disconnectAll(): void;
  close(): Promise<void>;
}

/** Serves an engine over WebSocket. Throws `peer-missing` without the package `ws`, `unreachable` for a taken port. */
export async function openWebSocketPort(engine: NatsEngine, port: number, host: string): Promise<WebSocketPort> {
  let WebSocketServer: typeof import("ws").WebSocketServer;
  try {
    ({ WebSocketServer } = await import("ws"));
  } catch (cause) {
    throw new EventError("peer-missing", "embedded NATS: install the package ws for WebSocket", { cause });
  }
  const server = new WebSocketServer({ port, host, perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (cause) => {
      reject(new EventError("unreachable", `embedded NATS: cannot listen on ${host}:${port}`, { cause }));
    });
  });
  server.on("connection", (socket) => serve(engine, socket));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    disconnectAll() {
      for (const client of server.clients) client.terminate();
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function serve(engine: NatsEngine, socket: WebSocket): void {
  let parts: Uint8Array[] = [];
  const flush = (): void => {
    if (parts.length === 0) return;
    const frame = joined(parts);
    parts = [];
    if (socket.readyState === socket.OPEN) socket.send(frame, { binary: true });
  };
  const peer: NatsPeer = {
    write(part) {
      // One frame per turn: clients read frames, and each one costs them a message event.
      if (parts.push(part) === 1) setImmediate(flush);
    },
    close() {
      flush();
      socket.close();
    },
  };
  const session = engine.connect(peer);
  socket.on("message", (data) => {
    if (data instanceof Uint8Array) session.feed(data);
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => session.close());
}
