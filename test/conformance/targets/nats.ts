import { type NatsLike, natsTransport } from "waybill/nats";
import type { ConformanceFactory } from "waybill/testing";
import { breakSocket } from "../../../adapters/nats/break-socket.ts";

/** Opens one more connection. */
export type NatsConnector = () => Promise<NatsLike>;

/** Core NATS: every subject is there, and nothing is stored. */
export function natsTarget(connect: NatsConnector): ConformanceFactory {
  return {
    cuts: true,
    async open() {
      const connection = await connect();
      return {
        transport: natsTransport({ connection }),
        cut: () => breakSocket(connection),
        close: () => connection.close(),
      };
    },
  };
}
