import type { ConformanceFactory } from "waybill/testing";
import { jetstreamTarget } from "../targets/jetstream.ts";
import { memoryTarget } from "../targets/memory.ts";
import { natsTarget } from "../targets/nats.ts";
import { natsWsTo, wsconnectTo } from "./nats-connectors.ts";
import type { CellOrder } from "./run-cell.ts";

/** What a page or an edge function can reach. */
export function pageTarget({ transport, nats }: CellOrder): ConformanceFactory {
  if (transport === "memory") return memoryTarget();
  const connect = transport.endsWith("nats.ws") ? natsWsTo(nats.websocketPort) : wsconnectTo(nats.websocketPort);
  return transport.startsWith("jetstream") ? jetstreamTarget(connect) : natsTarget(connect);
}
