import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ConsumeSink, OutgoingMessage, Transport } from "waybill";
import { decodeMessage } from "../../../core/codec/detect.ts";
import { defaultLimits } from "../../../core/limits.ts";
import { formats, plain } from "./arbitrary-events.ts";

const count = 1_000;

/** A transport on a real broker, and a new destination on it that keeps the order. */
export interface Line {
  readonly transport: Transport;
  /** Nothing is stored: who does not listen yet misses it. */
  readonly volatile?: boolean;
  readonly destination: string;
}

/** Sends 1,000 arbitrary events of each format over a real broker and compares what arrives. */
export function brokerRoundTripCases(name: string, open: () => Promise<Line>): void {
  describe(`over ${name}`, () => {
    test.each(Object.entries(formats))(
      `${count} events in %s mode arrive with every attribute`,
      async (_, { codec, events, arrives }) => {
        const seed = Math.trunc(Math.random() * 2 ** 31);
        const sent = fc.sample(events(), { numRuns: count, seed });
        const { transport, destination, volatile } = await open();
        onTestFinished(async () => void (await transport.close()));

        const arrived: object[] = [];
        let settled: () => void;
        const done = new Promise<void>((resolve) => {
          settled = resolve;
        });
        const sink: ConsumeSink = {
          deliver(delivery) {
            arrived.push(plain(decodeMessage(delivery.message, transport.capabilities.binding, defaultLimits)));
            void delivery.settle({ kind: "ack" }).catch(() => undefined);
            if (arrived.length === count) settled();
          },
          revoke: async () => undefined,
          failed: () => undefined,
        };
        const subscription = await transport.consume(
          { destinations: [destination], from: volatile ? "new" : "earliest" },
          sink,
        );
        subscription.credit(2 * count);
        const messages = sent.map((event): OutgoingMessage => {
          const headers: (string | Uint8Array)[] = [];
          const body = codec.encode(event, transport.capabilities.binding, headers, undefined);
          return { destination, headers, body } as OutgoingMessage;
        });
        for (const outcome of await transport.publish(messages)) if (!outcome.stored) throw outcome.error;
        await done;
        for (const [at, event] of sent.entries())
          expect(arrived[at], `event ${at} of seed ${seed}`).toEqual(arrives(event));
      },
      60_000,
    );
  });
}
