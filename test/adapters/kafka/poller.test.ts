import { describe, expect, test } from "vitest";
import { fakeClock } from "waybill/testing";
import type { IncomingRecord, KafkaConsumer } from "../../../adapters/kafka/driver.ts";
import { Poller } from "../../../adapters/kafka/poller.ts";

/** A poller over polls that the test answers, and a queue that the test empties. */
function setUp() {
  const clock = fakeClock();
  const failures: unknown[] = [];
  let queued = 0;
  let polls = 0;
  let answer: { resolve(records: readonly IncomingRecord[]): void; reject(reason: unknown): void } | undefined;
  const consumer = {
    poll: () => {
      polls++;
      return new Promise<readonly IncomingRecord[]>((resolve, reject) => {
        answer = { resolve, reject };
      });
    },
  } as Partial<KafkaConsumer> as KafkaConsumer;
  const poller = new Poller({
    clock,
    max: 10,
    received: (records) => {
      queued += records.length;
    },
    failed: (reason) => failures.push(reason),
    queued: () => queued,
  });
  const running = poller.run(consumer);
  return {
    clock,
    failures,
    poller,
    running,
    polls: () => polls,
    bring: (count: number) => {
      answer!.resolve(Array<IncomingRecord>(count).fill({} as IncomingRecord));
      return clock.advance(0);
    },
    fail: (reason: unknown) => {
      answer!.reject(reason);
      return clock.advance(0);
    },
    handOut: (count: number) => {
      for (let n = 0; n < count; n++) {
        queued--;
        poller.taken();
      }
      return clock.advance(0);
    },
  };
}

describe("a poller", () => {
  test("has one poll under way while the records of another are handed out", async () => {
    const { bring, polls, clock } = setUp();
    await bring(10);
    expect([polls(), clock.pending]).toEqual([2, 0]);
  });

  test("waits while more records than one poll takes have to be handed out", async () => {
    const { bring, handOut, polls, clock } = setUp();
    await bring(10);
    await bring(7);
    expect(polls()).toBe(2);
    await handOut(6);
    expect(polls()).toBe(2);
    await handOut(1);
    expect([polls(), clock.pending]).toEqual([3, 0]);
  });

  test("polls within 100 ms though nothing is handed out, for rebalances are answered by polling", async () => {
    const { bring, polls, clock } = setUp();
    await bring(10);
    await bring(10);
    await clock.advance(99);
    expect(polls()).toBe(2);
    await clock.advance(1);
    expect(polls()).toBe(3);
  });

  test("rests 50 ms after a poll that failed, and tells why", async () => {
    const { fail, failures, polls, clock } = setUp();
    const reason = new Error("no broker");
    await fail(reason);
    await clock.advance(49);
    expect([failures, polls()]).toEqual([[reason], 1]);
    await clock.advance(1);
    expect(polls()).toBe(2);
  });

  test("ends when it is stopped, also while it waits", async () => {
    const { bring, poller, running, polls, clock } = setUp();
    await bring(10);
    await bring(10);
    poller.stop();
    await running;
    expect([polls(), clock.pending]).toEqual([2, 0]);
  });
});
