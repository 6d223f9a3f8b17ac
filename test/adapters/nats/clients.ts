import { wsconnect } from "@nats-io/nats-core";
import { connect as connectTcp } from "@nats-io/transport-node";
import { connect as connectNatsWs } from "nats.ws";
import WebSocket from "ws";
import { type NatsLike, promptClose } from "../../../adapters/nats/index.ts";

/** Where a test server listens. */
export interface ServerPorts {
  readonly port: number;
  readonly websocketPort: number;
}

/** Options all three clients understand alike. */
export interface ClientOptions {
  token?: string;
  user?: string;
  pass?: string;
  maxReconnectAttempts?: number;
  reconnectTimeWait?: number;
  pingInterval?: number;
  timeout?: number;
}

/** A connection with what tests call beyond the adapter's needs. */
export interface TestConnection extends NatsLike {
  drain(): Promise<void>;
}

/** One of the client libraries. */
export interface TestClient {
  readonly name: string;
  open(ports: ServerPorts, options?: ClientOptions): Promise<TestConnection>;
}

/** Fast enough for tests, and never giving up. */
const PATIENT: ClientOptions = { maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 2_000 };

// One process may use wsconnect or transport-node, never both: they share one global factory for reconnects.

/** `@nats-io/nats-core` over WebSocket. */
export const natsCoreClient: TestClient = {
  name: "wsconnect of @nats-io/nats-core",
  open: ({ websocketPort }, options = {}) =>
    wsconnect({
      ...PATIENT,
      ...options,
      servers: `ws://127.0.0.1:${websocketPort}`,
      wsFactory: async (url: string) => ({
        // The client expects the browser's class, which Node 20 lacks.
        socket: promptClose(new WebSocket(url)) as unknown as globalThis.WebSocket,
        encrypted: false,
      }),
    }),
};

/** nats.ws 1.30 over WebSocket. */
export const natsWsClient: TestClient = {
  name: "nats.ws",
  open({ websocketPort }, options = {}) {
    globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
    return connectNatsWs({ ...PATIENT, ...options, servers: `ws://127.0.0.1:${websocketPort}` });
  },
};

/** `@nats-io/transport-node` over TCP. */
export const tcpClient: TestClient = {
  name: "@nats-io/transport-node",
  open: ({ port }, options = {}) => connectTcp({ ...PATIENT, ...options, servers: `127.0.0.1:${port}` }),
};
