// Runs a cell on Node, Deno or Bun: the order comes as the first argument, the results go to standard output.

import type { KafkaDriver } from "waybill/kafka";
import type { ConformanceFactory } from "waybill/testing";
import WebSocket from "ws";
import { jetstreamTarget } from "../targets/jetstream.ts";
import { kafkaTarget } from "../targets/kafka.ts";
import { memoryTarget } from "../targets/memory.ts";
import { type NatsConnector, natsTarget } from "../targets/nats.ts";
import { type CellOrder, runCell } from "./run-cell.ts";

async function tcpTo(port: number): Promise<NatsConnector> {
  const { connect } = await import("@nats-io/transport-node");
  return () =>
    connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 5_000 });
}

/** One process uses one of the two: they share a global factory for reconnects. */
async function websocketTo(client: string, port: number): Promise<NatsConnector> {
  const { natsWsTo, wsconnectTo } = await import("./nats-connectors.ts");
  return client === "nats.ws" ? natsWsTo(port) : wsconnectTo(port);
}

async function driverOf(client: string, brokers: readonly string[]): Promise<() => KafkaDriver> {
  if (client === "confluent") {
    const { confluentDriver } = await import("waybill/kafka/confluent");
    return () => confluentDriver({ brokers });
  }
  const { platformaticDriver } = await import("waybill/kafka/platformatic");
  return () => platformaticDriver({ brokers });
}

async function targetOf({ transport, nats, kafkaPort }: CellOrder): Promise<ConformanceFactory> {
  if (transport === "memory") return memoryTarget();
  const [system, client] = transport.split("-") as [string, string];
  if (system === "kafka") return kafkaTarget(await driverOf(client, [`127.0.0.1:${kafkaPort}`]), kafkaPort);
  const connect = client === "tcp" ? await tcpTo(nats.port) : await websocketTo(client, nats.websocketPort);
  return system === "jetstream" ? jetstreamTarget(connect) : natsTarget(connect);
}

// Node 20 has none.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
const order = JSON.parse(process.argv[2]!) as CellOrder;
for await (const result of runCell(await targetOf(order), order)) console.log(`RESULT ${JSON.stringify(result)}`);
console.log("DONE");
process.exit(0);
