import { expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import type { ReceiveContext } from "../../../adapters/nats/receive-context.ts";
import { NatsConsumer } from "../../../adapters/nats/subscription.ts";

/** A consumer over a FAKE connection, whose server answers when the test says so. */
function consuming(state: "connected" | "disconnected" = "connected") {
  const clock = fakeClock();
  let answer: () => void = () => undefined;
  const read = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const context = {
    clock,
    link: { state },
    holds: { maxMessages: 10, maxBytes: 1_000 },
    options: { connection: { flush: () => read } },
  } as unknown as ReceiveContext;
  const sink = { deliver: () => undefined, revoke: async () => undefined, failed: () => undefined };
  const consumer = new NatsConsumer(sink, context, () => undefined);
  return { clock, consumer, answer };
}

test("a close is over when the server has read it, for whoever closes", async () => {
  const { clock, consumer, answer } = consuming();
  const over: string[] = [];
  void consumer.close().then(() => over.push("first"));
  void consumer.close().then(() => over.push("second"));
  await clock.advance(900);
  expect(over).toEqual([]);
  answer();
  await clock.advance(0);
  expect(over).toEqual(["first", "second"]);
  expect(clock.pending).toBe(0);
});

test("a close waits no longer than its deadline, a second at most, and not at all without a connection", async () => {
  for (const [given, limitMs] of [
    [{ deadlineMs: 100 }, 100],
    [{ deadlineMs: 10_000 }, 1_000],
    [undefined, 1_000],
  ] as const) {
    const { clock, consumer } = consuming();
    let over = false;
    void consumer.close(given).then(() => {
      over = true;
    });
    await clock.advance(limitMs - 1);
    expect(over).toBe(false);
    await clock.advance(1);
    expect(over).toBe(true);
  }
  expect(await consuming("disconnected").consumer.close()).toEqual({ unsent: 0, unsettled: 0 });
});
