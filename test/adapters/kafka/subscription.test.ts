import { describe, expect, it, vi } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { KafkaTransportOptions } from "../../../adapters/kafka/options.ts";
import { EventError } from "../../../core/errors.ts";
import type { ConsumeSource, Delivery, TransportSubscription } from "../../../core/transport.ts";
import { fakeClock } from "../../../testing/index.ts";
import { type FakeConsumer, FakeDriver, turn } from "./fake-driver.ts";

const at = (partition: number): { topic: string; partition: number } => ({ topic: "t", partition });
const ack = { kind: "ack" } as const;

interface Bench {
  readonly consumer: FakeConsumer;
  readonly subscription: TransportSubscription;
  readonly deliveries: Delivery[];
  readonly revoked: string[];
  readonly failures: EventError[];
  /** Waits until that many deliveries arrived in all. */
  arrived(count: number): Promise<void>;
  /** What `revoke` waits for. */
  drain: () => Promise<void>;
  onDeliver: (delivery: Delivery) => void;
}

async function bench(
  options: Partial<KafkaTransportOptions> = {},
  source: Partial<ConsumeSource> = {},
): Promise<Bench> {
  const driver = new FakeDriver();
  const transport = kafkaTransport({ driver, commitIntervalMs: 5, drainMs: 50, ...options });
  const deliveries: Delivery[] = [];
  const revoked: string[] = [];
  const failures: EventError[] = [];
  const made = {
    deliveries,
    revoked,
    failures,
    drain: async (): Promise<void> => undefined,
    onDeliver: (_: Delivery): void => undefined,
    arrived: (count: number) =>
      vi.waitFor(() => expect(deliveries).toHaveLength(count), { timeout: 2_000, interval: 1 }),
  };
  const subscription = await transport.consume(
    { destinations: ["t"], group: "g", from: "earliest", ...source },
    {
      deliver: (delivery) => {
        deliveries.push(delivery);
        made.onDeliver(delivery);
      },
      revoke: (lane) => {
        revoked.push(lane);
        return made.drain();
      },
      failed: (error) => void failures.push(error),
    },
  );
  return Object.assign(made, { consumer: driver.consumers[0]!, subscription });
}

const own = (consumer: FakeConsumer, ...partitions: number[]): void =>
  consumer.events.assigned(partitions.map((each) => ({ ...at(each), start: 0, uncommitted: false })));

const offsets = (deliveries: readonly Delivery[]): number[] => deliveries.map((each) => Number(each.position));

describe("a Kafka subscription, over a fake driver", () => {
  it("delivers against credit alone, one lane after the other", async () => {
    const b = await bench();
    own(b.consumer, 0, 1);
    b.consumer.feed(0, 0, 3);
    b.consumer.feed(1, 0, 3);
    await turn();
    expect(b.deliveries).toHaveLength(0);
    b.subscription.credit(4);
    await b.arrived(4);
    await turn();
    expect(b.deliveries).toHaveLength(4);
    expect(new Set(b.deliveries.map((each) => each.lane))).toEqual(new Set(["t/0", "t/1"]));
    expect(b.deliveries[0]).toMatchObject({ attempt: 1, position: "0", message: { destination: "t", offset: 0 } });
    await b.subscription.close();
  });

  it("commits the contiguous prefix and nothing beyond it", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 5);
    b.subscription.credit(5);
    await b.arrived(5);
    for (const index of [1, 2, 4]) void b.deliveries[index]!.settle(ack);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(b.consumer.commits).toEqual([]);
    await b.deliveries[0]!.settle(ack);
    expect(b.consumer.committed(0)).toBe(3);
    await b.deliveries[3]!.settle({ kind: "reject", reason: "unreadable" });
    expect(b.consumer.committed(0)).toBe(5);
    await b.subscription.close();
  });

  it("resolves a settlement only once a commit covers it, and commits only while something is due", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(2);
    await b.arrived(2);
    let confirmed = false;
    const second = b.deliveries[1]!.settle(ack).then(() => {
      confirmed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(confirmed).toBe(false);
    await b.deliveries[0]!.settle(ack);
    await second;
    const commits = b.consumer.commits.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(b.consumer.commits).toHaveLength(commits);
    await b.subscription.close();
  });

  it("shares one promise among all that settle between two commits", async () => {
    const b = await bench({ commitIntervalMs: 1_000 });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(2);
    await b.arrived(2);
    expect(b.deliveries[0]!.settle(ack)).toBe(b.deliveries[1]!.settle(ack));
    await b.subscription.close();
  });

  it("commits again what the broker refused, and reports what is not a rebalance", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 1);
    b.subscription.credit(1);
    await b.arrived(1);
    const answers = [new EventError("fenced", "rebalance"), new EventError("timeout", "frozen")];
    b.consumer.answer = async () => {
      const error = answers.shift();
      if (error) throw error;
    };
    await b.deliveries[0]!.settle(ack);
    expect(b.consumer.commits.flat().map((each) => each.offset)).toEqual([1, 1, 1]);
    expect(b.failures.map((each) => each.code)).toEqual(["timeout"]);
    await b.subscription.close();
  });

  it("stops a partition at maxAhead messages beyond the first unfinished one, while others go on", async () => {
    const b = await bench({ maxAhead: { messages: 10 } });
    own(b.consumer, 0, 1);
    b.onDeliver = (delivery) => {
      if (delivery.lane === "t/1" || delivery.position !== "0") void delivery.settle(ack).catch(() => undefined);
    };
    b.consumer.feed(0, 0, 100);
    b.consumer.feed(1, 0, 100);
    b.subscription.credit(1_000);
    await b.arrived(110);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(b.deliveries.filter((each) => each.lane === "t/0")).toHaveLength(10);
    expect(b.consumer.pausedNow).toEqual(new Set(["t/0"]));
    await b.deliveries.find((each) => each.lane === "t/0")!.settle(ack);
    await b.arrived(200);
    expect(b.consumer.pausedNow.size).toBe(0);
    await b.subscription.close();
  });

  it("bounds how far it runs ahead in bytes too, and lets a single message of any size pass", async () => {
    const b = await bench({ maxAhead: { bytes: 100 } });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 3, new Uint8Array(60));
    b.consumer.feed(0, 3, 1, new Uint8Array(500));
    b.subscription.credit(10);
    await b.arrived(1);
    await turn();
    expect(b.deliveries).toHaveLength(1);
    for (let index = 0; index < 4; index++) {
      await b.arrived(index + 1);
      await b.deliveries[index]!.settle(ack);
    }
    expect(offsets(b.deliveries)).toEqual([0, 1, 2, 3]);
    await b.subscription.close();
  });

  it("holds a bounded number of messages without credit, and polls on", async () => {
    const b = await bench({ maxAhead: { messages: 20 } });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 500);
    await vi.waitFor(() => expect(b.consumer.pausedNow.size).toBe(1), { timeout: 20_000 });
    const polls = b.consumer.polls;
    await vi.waitFor(() => expect(b.consumer.polls).toBeGreaterThan(polls + 2), { timeout: 20_000 });
    b.onDeliver = (delivery) => void delivery.settle(ack).catch(() => undefined);
    b.subscription.credit(500);
    await b.arrived(500);
    expect(offsets(b.deliveries)).toEqual(Array.from({ length: 500 }, (_, offset) => offset));
    await b.subscription.close();
  });

  it("retries in place: the next attempt comes before what was not handed out, and holds the commit back", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 4);
    b.subscription.credit(2);
    await b.arrived(2);
    void b.deliveries[1]!.settle(ack);
    void b.deliveries[0]!.settle({ kind: "retry", delayMs: 10 });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(b.consumer.commits).toEqual([]);
    b.subscription.credit(3);
    await b.arrived(5);
    expect(offsets(b.deliveries)).toEqual([0, 1, 0, 2, 3]);
    expect(b.deliveries[2]!.attempt).toBe(2);
    await b.deliveries[2]!.settle(ack);
    expect(b.consumer.committed(0)).toBe(2);
    await b.subscription.close();
  });

  it("goes on when more wait for their retry than may run ahead, though its partition is paused meanwhile", async () => {
    const clock = fakeClock();
    const b = await bench({ maxAhead: { messages: 4 }, clock });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 20);
    b.subscription.credit(100);
    b.onDeliver = (delivery) => void delivery.settle({ kind: "retry", delayMs: 60_000 });
    await b.arrived(4);
    await vi.waitFor(() => expect(b.consumer.pausedNow.size).toBe(1));
    expect(offsets(b.deliveries)).toEqual([0, 1, 2, 3]);
    b.onDeliver = (delivery) => void delivery.settle(ack).catch(() => undefined);
    // The host's timers and the clock take turns until every message is handled.
    await vi.waitFor(async () => {
      await clock.advance(30_000);
      expect(b.deliveries).toHaveLength(24);
    });
    const after = b.deliveries.slice(4);
    expect(offsets(after.filter(({ attempt }) => attempt === 2))).toEqual([0, 1, 2, 3]);
    expect(offsets(after.filter(({ attempt }) => attempt === 1))).toEqual(Array.from({ length: 16 }, (_, n) => n + 4));
    expect(b.consumer.pausedNow.size).toBe(0);
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(b.consumer.committed(0)).toBe(20);
    });
  });

  it("keeps the attempt of a retry that was released", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 1);
    b.subscription.credit(10);
    await b.arrived(1);
    void b.deliveries[0]!.settle({ kind: "retry", delayMs: 0 });
    await b.arrived(2);
    b.deliveries[1]!.release();
    await b.arrived(3);
    expect(b.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 2]);
  });

  it("delivers what was released once more, without counting an attempt", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(2);
    await b.arrived(2);
    b.deliveries[1]!.release();
    b.deliveries[0]!.release();
    b.subscription.credit(2);
    await b.arrived(4);
    expect(offsets(b.deliveries)).toEqual([0, 1, 0, 1]);
    expect(b.deliveries.map((each) => each.attempt)).toEqual([1, 1, 1, 1]);
    await b.subscription.close();
  });

  it("counts only the first settlement of a delivery", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 1);
    b.subscription.credit(5);
    await b.arrived(1);
    const first = b.deliveries[0]!.settle(ack);
    expect(b.deliveries[0]!.settle({ kind: "retry", delayMs: 0 })).toBe(first);
    b.deliveries[0]!.release();
    await first;
    expect(b.deliveries).toHaveLength(1);
    await b.subscription.close();
  });

  it("delivers nothing of a paused lane", async () => {
    const b = await bench();
    own(b.consumer, 0, 1);
    b.subscription.pauseLane("t/0");
    b.consumer.feed(0, 0, 1);
    b.consumer.feed(1, 0, 1);
    b.subscription.credit(5);
    await b.arrived(1);
    await turn();
    expect(b.deliveries.map((each) => each.lane)).toEqual(["t/1"]);
    b.subscription.resumeLane("t/0");
    await b.arrived(2);
    await b.subscription.close();
  });

  it("drains a revoked lane, commits it, then fences it, and leaves the others alone", async () => {
    const b = await bench({ commitIntervalMs: 10_000, drainMs: 1_000 });
    own(b.consumer, 0, 1);
    b.consumer.feed(0, 0, 3);
    b.consumer.feed(1, 0, 1);
    b.subscription.credit(3);
    await b.arrived(3);
    const [first, second] = b.deliveries.filter((each) => each.lane === "t/0");
    let settled: Promise<void> | undefined;
    b.drain = async () => {
      await turn();
      settled = first!.settle(ack);
    };
    b.subscription.credit(10);
    await b.consumer.events.revoking([at(0)], false);
    expect(b.revoked).toEqual(["t/0"]);
    await settled;
    expect(b.consumer.committed(0)).toBe(1);
    expect(first!.signal.aborted).toBe(true);
    expect(first!.signal.reason).toMatchObject({ code: "fenced" });
    if (second) await expect(second.settle(ack)).rejects.toMatchObject({ code: "fenced" });
    expect(b.deliveries.find((each) => each.lane === "t/1")!.signal.aborted).toBe(false);
    await b.subscription.close();
  });

  it("takes a lane away after drainMs even when its work does not end", async () => {
    const b = await bench({ drainMs: 20 });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 1);
    b.subscription.credit(1);
    await b.arrived(1);
    b.drain = () => new Promise(() => undefined);
    await b.consumer.events.revoking([at(0)], false);
    expect(b.deliveries[0]!.signal.aborted).toBe(true);
    await expect(b.deliveries[0]!.settle(ack)).rejects.toMatchObject({ code: "fenced" });
    expect(b.consumer.commits).toEqual([]);
    await b.subscription.close({ deadlineMs: 0 });
  });

  it("fences at once and commits nothing when the assignment is lost", async () => {
    const b = await bench({ commitIntervalMs: 10_000 });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(2);
    await b.arrived(2);
    const finished = b.deliveries[0]!.settle(ack);
    b.drain = () => new Promise(() => undefined);
    await b.consumer.events.revoking([at(0)], true);
    await expect(finished).rejects.toMatchObject({ code: "fenced" });
    expect(b.deliveries[1]!.signal.aborted).toBe(true);
    await b.subscription.close();
    expect(b.consumer.commits).toEqual([]);
  });

  it("starts a lane that comes back from its committed offset, with a new signal", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(1);
    await b.arrived(1);
    await b.deliveries[0]!.settle(ack);
    await b.consumer.events.revoking([at(0)], false);
    b.consumer.events.assigned([{ ...at(0), start: 1, uncommitted: false }]);
    b.consumer.feed(0, 1, 1);
    b.subscription.credit(1);
    await b.arrived(2);
    expect(b.deliveries[1]).toMatchObject({ position: "1", attempt: 1 });
    expect(b.deliveries[1]!.signal.aborted).toBe(false);
    await b.subscription.close();
  });

  it("commits where a new group begins, so that the next owner begins there too", async () => {
    const b = await bench({}, { from: "new" });
    b.consumer.events.assigned([{ ...at(0), start: 42, uncommitted: true }]);
    await vi.waitFor(() => expect(b.consumer.committed(0)).toBe(42), 20_000);
    await b.subscription.close();
  });

  it("tells the lag from the ends it has seen", async () => {
    const b = await bench();
    own(b.consumer, 0, 1);
    b.consumer.ends.set("t/0", { low: 0, high: 7 });
    b.consumer.feed(0, 0, 3);
    b.subscription.credit(3);
    await b.arrived(3);
    void b.deliveries[0]!.settle(ack);
    expect(await b.subscription.lag()).toEqual([{ lane: "t/0", messages: 6 }]);
    await b.subscription.close();
  });

  it("reports at close what was started and not settled", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 4);
    b.subscription.credit(4);
    await b.arrived(4);
    void b.deliveries[0]!.settle(ack);
    b.deliveries[1]!.release();
    const report = await b.subscription.close({ deadlineMs: 20 });
    expect(report).toEqual({ unsent: 0, unsettled: 2 });
    expect(b.consumer.committed(0)).toBe(1);
    expect(b.consumer.closed).toBe(true);
    expect(await b.subscription.close()).toBe(report);
  });

  it("commits again at close while the broker refuses, as long as the deadline allows", async () => {
    const b = await bench({ commitIntervalMs: 5 });
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 2);
    b.subscription.credit(2);
    await b.arrived(2);
    let refusals = 3;
    b.consumer.answer = async () => {
      if (refusals-- > 0) throw new EventError("transport-failed", "The coordinator is loading");
    };
    const settled = b.deliveries.map((each) => each.settle(ack));
    expect(await b.subscription.close({ deadlineMs: 5_000 })).toEqual({ unsent: 0, unsettled: 0 });
    expect(b.consumer.commits.length).toBe(4);
    await Promise.all(settled);
  });

  it("counts at close what was settled and never committed: it will come again", async () => {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 3);
    b.subscription.credit(3);
    await b.arrived(3);
    b.consumer.answer = async () => {
      throw new EventError("timeout", "frozen");
    };
    for (const each of b.deliveries.slice(0, 2)) each.settle(ack).catch(() => undefined);
    expect(await b.subscription.close({ deadlineMs: 30 })).toEqual({ unsent: 0, unsettled: 3 });
  });

  it("refuses a position that is no beginning Kafka has", async () => {
    await expect(bench({}, { from: "17" })).rejects.toMatchObject({ code: "unsupported" });
  });
});

// What the contiguous prefix is for: the same crash, once with it and once committing the highest finished offset.
describe("a subscription that does not come about", () => {
  const source = { destinations: ["t"], group: "g", from: "earliest" };
  const sink = { deliver: () => undefined, revoke: async () => undefined, failed: () => undefined };

  it("is closed again where the transport closed while it opened", async () => {
    const driver = new FakeDriver();
    let open = (): void => undefined;
    driver.gate = new Promise((resolve) => {
      open = resolve;
    });
    const transport = kafkaTransport({ driver });
    const consuming = transport.consume(source, sink);
    const closing = transport.close({ deadlineMs: 10 });
    open();
    await expect(consuming).rejects.toMatchObject({ code: "closed" });
    await closing;
    expect(driver.consumers.map(({ closed }) => closed)).toEqual([true]);
  });

  it("says nothing about the transport once it has failed", async () => {
    const driver = new FakeDriver();
    driver.unreachable = new EventError("unreachable", "no broker", { retryable: true });
    const transport = kafkaTransport({ driver });
    await expect(transport.consume(source, sink)).rejects.toMatchObject({ code: "unreachable" });
    driver.unreachable = undefined;
    await transport.consume(source, sink);
    expect(transport.health().state).toBe("connected");
    await transport.close({ deadlineMs: 10 });
  });
});

describe("a log that ends below where it was read", () => {
  it("is read from its beginning, and the other partitions go on", async () => {
    const b = await bench();
    own(b.consumer, 0, 1);
    b.subscription.credit(100);
    b.consumer.feed(0, 5_000, 2);
    await b.arrived(2);
    b.consumer.feed(0, 0, 2);
    b.consumer.feed(1, 0, 2);
    await b.arrived(6);
    await Promise.all(b.deliveries.map((delivery) => delivery.settle(ack)).slice(2));
    expect(b.consumer.committed(0)).toBe(2);
    expect(b.failures).toEqual([]);
    await b.subscription.close();
  });
});

describe("a member that dies with work in flight", () => {
  async function crash(finishOrder: readonly number[], commit: "prefix" | "highest"): Promise<number[]> {
    const b = await bench();
    own(b.consumer, 0);
    b.consumer.feed(0, 0, 10);
    b.subscription.credit(10);
    await b.arrived(10);
    for (const index of finishOrder) void b.deliveries[index]!.settle(ack).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const next = commit === "prefix" ? (b.consumer.committed(0) ?? 0) : Math.max(...finishOrder) + 1;
    const redelivered = Array.from({ length: 10 - next }, (_, index) => next + index);
    const handled = new Set([...finishOrder, ...redelivered]);
    return Array.from({ length: 10 }, (_, offset) => offset).filter((offset) => !handled.has(offset));
  }

  it("skips nothing, and skips what was unfinished where the highest finished offset is committed instead", async () => {
    expect(await crash([0, 2, 5, 7], "prefix")).toEqual([]);
    expect(await crash([0, 2, 5, 7], "highest")).toEqual([1, 3, 4, 6]);
  });
});
