import { jetstreamTransport } from "waybill/jetstream";
import type { ConformanceFactory } from "waybill/testing";
import { breakSocket } from "../../../adapters/nats/break-socket.ts";
import type { NatsConnector } from "./nats.ts";

const windowMs = 4_000;
const ackWaitMs = 3_000;

/** JetStream: one stream for most destinations, one with partitions for those whose order counts. */
export function jetstreamTarget(connect: NatsConnector): ConformanceFactory {
  return {
    cuts: true,
    reads: true,
    letters: true,
    vanishedAfterMs: ackWaitMs,
    duplicateWindowMs: windowMs,
    patienceMs: 20_000,
    provide: (name, { ordered }) => `${ordered ? "ordered" : "plain"}.${name}`,
    async open() {
      const connection = await connect();
      const stream = { storage: "memory", duplicateWindowMs: windowMs } as const;
      const transport = jetstreamTransport({
        connection,
        ackWaitMs,
        buffer: { maxAgeMs: windowMs },
        streams: [
          { ...stream, name: "PLAIN", subjects: ["plain.>"] },
          { ...stream, name: "ORDERED", subjects: ["ordered.>"], partitions: 4 },
        ],
      });
      return {
        transport,
        cut: () => breakSocket(connection),
        vanish: () => connection.close(),
        close: () => connection.close(),
      };
    },
  };
}
