import { wsconnect } from "@nats-io/nats-core";
import { connect as connectNatsWs } from "nats.ws";
import { promptClose } from "waybill/nats";
import type { NatsConnector } from "../targets/nats.ts";

const patient = { maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 5_000 };

/** `@nats-io/nats-core` over WebSocket. */
export function wsconnectTo(port: number): NatsConnector {
  const wsFactory = async (url: string): Promise<{ socket: WebSocket; encrypted: boolean }> => ({
    socket: promptClose(new WebSocket(url)),
    encrypted: false,
  });
  return () => wsconnect({ ...patient, servers: `ws://127.0.0.1:${port}`, wsFactory });
}

/** nats.ws 1.30 over WebSocket. */
export function natsWsTo(port: number): NatsConnector {
  return () => connectNatsWs({ ...patient, servers: `ws://127.0.0.1:${port}` });
}
