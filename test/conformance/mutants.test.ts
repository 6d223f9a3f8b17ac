// The control of the suite: transports that break one promise each. A case has to notice.
import { describe, expect, test } from "vitest";
import type { ConsumeSink, Delivery, OutgoingMessage, Transport } from "waybill";
import { memoryTransport } from "waybill/memory";
import { type CaseResult, type ConformanceFactory, conformanceCases, runCases } from "waybill/testing";

type Wrap = (inner: Transport) => Transport;

/** Changes what consumers get. */
const delivering =
  (change: (delivery: Delivery, sink: ConsumeSink) => void): Wrap =>
  (inner) => ({
    ...inner,
    consume: (source, sink) => inner.consume(source, { ...sink, deliver: (delivery) => change(delivery, sink) }),
  });

/** Changes what is sent. */
const sending =
  (change: (message: OutgoingMessage) => OutgoingMessage | undefined): Wrap =>
  (inner) => ({
    ...inner,
    publish: async (messages, options) =>
      await Promise.all(
        messages.map(async (message) => {
          const changed = change(message);
          return changed ? (await inner.publish([changed], options))[0]! : { stored: true as const, at: { offset: 0 } };
        }),
      ),
  });

let counter = 0;
const mutants: Record<string, { wrap: Wrap; noticed: string }> = {
  "loses every tenth message": {
    wrap: sending((m) => (++counter % 10 === 0 ? undefined : m)),
    noticed: "publish.delivers",
  },
  "stores every tenth message twice": {
    wrap: (inner) => ({
      ...inner,
      publish: async (messages, options) => {
        const outcomes = await inner.publish(messages, options);
        await inner.publish(messages.filter(() => ++counter % 10 === 0).map((m) => ({ ...m, dedupId: undefined })));
        return outcomes;
      },
    }),
    noticed: "publish.delivers",
  },
  "forgets dedup ids": { wrap: sending(({ dedupId: _, ...m }) => m), noticed: "publish.duplicate" },
  "drops keys": { wrap: sending(({ key: _, ...m }) => m), noticed: "order.key" },
  "stores the messages of a call backwards": {
    wrap: (inner) => ({
      ...inner,
      publish: async (messages, options) => [...(await inner.publish([...messages].reverse(), options))].reverse(),
    }),
    noticed: "order.key",
  },
  "delivers on lanes that are paused": {
    wrap: (inner) => ({
      ...inner,
      consume: async (source, sink) => ({ ...(await inner.consume(source, sink)), pauseLane: () => undefined }),
    }),
    noticed: "backpressure.lane",
  },
  "forgets at close what runs": {
    wrap: (inner) => ({ ...inner, close: async (given) => ({ ...(await inner.close(given)), unsettled: 0 }) }),
    noticed: "close.transport",
  },
  "cuts bodies at 1,000 bytes": {
    wrap: sending((m) => ({ ...m, body: m.body instanceof Uint8Array ? m.body.subarray(0, 1_000) : m.body })),
    noticed: "round-trip.binary",
  },
  "drops headers": { wrap: sending((m) => ({ ...m, headers: m.headers.slice(0, 8) })), noticed: "round-trip.headers" },
  "never redelivers": {
    wrap: delivering((delivery, sink) =>
      sink.deliver(override(delivery, { settle: () => delivery.settle({ kind: "ack" }) })),
    ),
    noticed: "redelivery.delay",
  },
  "redelivers what was acknowledged": {
    wrap: delivering((delivery, sink) =>
      sink.deliver(
        override(delivery, {
          settle: (verdict) =>
            delivery.attempt > 1 ? delivery.settle(verdict) : delivery.settle({ kind: "retry", delayMs: 0 }),
        }),
      ),
    ),
    noticed: "publish.delivers",
  },
  "retries at once": {
    wrap: delivering((delivery, sink) =>
      sink.deliver(
        override(delivery, {
          settle: (verdict) => delivery.settle(verdict.kind === "retry" ? { ...verdict, delayMs: 0 } : verdict),
        }),
      ),
    ),
    noticed: "redelivery.delay",
  },
  "ignores credit": {
    wrap: (inner) => ({
      ...inner,
      async consume(source, sink) {
        const subscription = await inner.consume(source, sink);
        subscription.credit(1_000);
        return subscription;
      },
    }),
    noticed: "backpressure.credit",
  },
  "gives every member of a group every message": {
    wrap: (inner) => ({ ...inner, consume: ({ group: _, ...source }, sink) => inner.consume(source, sink) }),
    noticed: "groups.resume",
  },
  "starts every consumer at the earliest": {
    wrap: (inner) => ({ ...inner, consume: (source, sink) => inner.consume({ ...source, from: "earliest" }, sink) }),
    noticed: "replay.new",
  },
  "goes on after a close": {
    wrap: (inner) => ({ ...inner, close: async () => ({ unsent: 0, unsettled: 0 }) }),
    noticed: "publish.after-close",
  },
  "lets requests without a listener wait": {
    wrap: (inner) => ({
      ...inner,
      request: (message, options) =>
        inner.request!(message, options).catch(async (error) => {
          await new Promise((resolve) => setTimeout(resolve, options.timeoutMs));
          throw error;
        }),
    }),
    noticed: "request.no-responders",
  },
};

/** The same delivery with some of it replaced. */
function override(delivery: Delivery, changes: Partial<Delivery>): Delivery {
  return Object.assign(Object.create(delivery) as Delivery, changes);
}

async function statusOf(wrap: Wrap, id: string): Promise<CaseResult["status"]> {
  const factory: ConformanceFactory = {
    oneClient: true,
    duplicateWindowMs: 1_000,
    patienceMs: 3_000,
    open: () => ({ transport: wrap(memoryTransport({ dedupWindowMs: 1_000 })) }),
  };
  const cases = conformanceCases.filter((one) => one.id === id);
  for await (const { status } of runCases(cases, factory, memoryTransport().capabilities, { timeoutMs: 12_000 })) {
    return status;
  }
  throw new Error(`there is no case ${id}`);
}

describe("a transport that", () => {
  test.concurrent.each(Object.entries(mutants))("%s is noticed", async (_, { wrap, noticed }) => {
    expect(await statusOf((inner) => inner, noticed)).toBe("passed");
    expect(await statusOf(wrap, noticed)).toBe("failed");
  });
});
