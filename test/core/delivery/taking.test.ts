import { describe, expect, test } from "vitest";
import { createEventBus, EventError, fixedBackoff } from "waybill";
import { fakeClock } from "waybill/testing";
import { handFedTransport } from "./hand-fed-transport.ts";

const ack = { kind: "ack" };

function setUp(capabilities: Parameters<typeof handFedTransport>[0] = {}) {
  const clock = fakeClock();
  const fake = handFedTransport(capabilities);
  const bus = createEventBus({ source: "/t", transports: { fake: fake.transport }, clock });
  const errors: string[] = [];
  bus.onError(({ code }) => void errors.push(code));
  const ends: (() => void)[] = [];
  const handler = (): Promise<void> => new Promise((resolve) => void ends.push(resolve));
  return { clock, fake, bus, errors, ends, handler };
}

describe("what a member takes", () => {
  test.each([
    ["twice what it handles at once, where another could have the event", {}, 8],
    ["some more, where it owns its keys", { keyOrder: true }, 64],
    ["some more, where nothing is delivered twice", { redelivery: false }, 64],
  ])("is %s", async (_, capabilities, most) => {
    const { fake, bus, handler } = setUp(capabilities);
    await bus.subscribe("t", handler, { group: "g", concurrency: 4 });
    expect(fake.credit).toBe(most);
  });

  test("is one more for each event that is over, and none while it is handled", async () => {
    const { clock, fake, bus, ends, handler } = setUp();
    await bus.subscribe("t", handler, { group: "g", concurrency: 2 });
    for (let n = 0; n < 4; n++) fake.feed(n);
    await clock.advance(0);
    expect(fake.credit).toBe(4);
    ends[0]!();
    await clock.advance(0);
    expect(fake.credit).toBe(5);
  });
});

describe("a failed event that is to be tried again in place", () => {
  async function failing() {
    const made = setUp({ keyOrder: true });
    const calls: string[] = [];
    await made.bus.subscribe(
      "t",
      ({ data }, { key }) => {
        calls.push(`${key} ${data}`);
        if (key === "bad") throw new Error("not today");
      },
      { group: "g", retry: { backoff: fixedBackoff(1_000), attempts: 2 } },
    );
    return { ...made, calls };
  }

  test("and what follows it of its key take no place from other keys", async () => {
    const { clock, fake, calls } = await failing();
    for (let n = 0; n < 10; n++) fake.feed(n, { key: "bad" });
    await clock.advance(0);
    expect(fake.credit).toBe(64 + 10);
    for (let n = 10; n < 64 + 10; n++) fake.feed(n, { key: "bad" });
    expect(fake.credit).toBe(64 + 74);
    fake.feed(74, { key: "good" });
    await clock.advance(0);
    expect([calls, fake.credit]).toEqual([["bad 0", "good 74"], 64 + 75]);
    // Whoever stood aside gives no place back.
    await clock.advance(1_000);
    expect([calls.slice(2), fake.credit]).toEqual([["bad 0", "bad 1"], 64 + 75]);
  });

  test("take the place of others again when they are many", async () => {
    const { clock, fake } = await failing();
    for (let n = 0; n < 2_000; n++) fake.feed(n, { key: "bad" });
    await clock.advance(0);
    expect(fake.credit).toBe(64 + 1_000);
    await clock.advance(1_000);
    // One is over, and one more stands aside for it.
    expect(fake.credit).toBe(64 + 1_001);
  });

  test.each([
    ["the breaker is open", { breaker: { failures: 1 } }],
    ["it is paused", {}],
  ])("ask for nothing more while %s", async (_, more) => {
    const { clock, fake, bus } = setUp({ keyOrder: true });
    const calls: string[] = [];
    const subscription = await bus.subscribe(
      "t",
      () => {
        calls.push("t");
        if (!("breaker" in more)) subscription.pause();
        throw new Error("not today");
      },
      { group: "g", retry: { backoff: fixedBackoff(1_000) }, ...more },
    );
    for (let n = 0; n < 10; n++) fake.feed(n, { key: "bad" });
    await clock.advance(500);
    fake.feed(10, { key: "bad" });
    expect([calls.length, fake.credit]).toEqual([1, 64]);
  });
});

describe("a verdict", () => {
  test("is given after the handler, not before", async () => {
    const { clock, fake, bus, ends, handler } = setUp();
    await bus.subscribe("t", handler, { group: "g" });
    const fed = fake.feed(1);
    await clock.advance(60_000);
    expect(fed.verdicts).toEqual([]);
    ends[0]!();
    await clock.advance(0);
    expect(fed.verdicts).toEqual([ack]);
  });

  test.each([
    [true, { kind: "retry", delayMs: 1_000 }],
    [false, { kind: "reject", reason: "handler-failed" }],
  ])(
    "of a failure is a retry where the transport delivers again, and the end elsewhere: %s",
    async (redelivery, verdict) => {
      const { clock, fake, bus, errors } = setUp({ redelivery });
      const failing = (): void => {
        throw new Error("not today");
      };
      await bus.subscribe("t", failing, { group: "g", ...(redelivery && { retry: { backoff: fixedBackoff(1_000) } }) });
      const fed = fake.feed(1);
      await clock.advance(0);
      expect([fed.verdicts, errors]).toEqual([[verdict], ["handler-failed"]]);
    },
  );

  test("is given at once to dead letters that a wildcard reached, without their handler", async () => {
    const { clock, fake, bus, ends, handler } = setUp({ wildcards: true });
    await bus.subscribe("**", handler, { group: "g", destination: "**" });
    const aside = ["t.dlq", "t.retry", "t.parked"].map((destination) => fake.feed(1, { destination }));
    fake.feed(2);
    await clock.advance(0);
    expect([aside.map(({ verdicts }) => verdicts), ends.length]).toEqual([[[ack], [ack], [ack]], 1]);
  });

  test("is not given for what failed after its partition went: the next owner gets it", async () => {
    const { clock, fake, bus, errors } = setUp({ keyOrder: true });
    const lane = new AbortController();
    let calls = 0;
    await bus.subscribe(
      "t",
      () => {
        calls++;
        lane.abort(new EventError("fenced", "another owner"));
        throw new EventError("invalid-data", "no event of ours");
      },
      { group: "g" },
    );
    const fed = fake.feed(1, { lane });
    await clock.advance(10_000);
    expect([fed.verdicts, calls, errors]).toEqual([[], 1, ["invalid-data"]]);
  });
});

test.each([
  ["a start in the past", { from: "earliest" }, { replay: false }],
  ["the order of keys", { order: "key" }, { keyOrder: false }],
  ["groups", { group: "g" }, { groups: false, replay: false }],
] as const)("%s is refused where the transport cannot do it", async (_, options, capabilities) => {
  const { bus } = setUp(capabilities);
  await expect(bus.subscribe("t", () => undefined, options)).rejects.toMatchObject({ code: "unsupported" });
});

describe("a close", () => {
  test("waits for the handler that runs, and gives back what has not begun", async () => {
    const { clock, fake, bus, ends, handler } = setUp();
    await bus.subscribe("t", handler, { group: "g" });
    const [running, waiting] = [fake.feed(1), fake.feed(2)];
    let closed: unknown;
    void bus.close().then((report) => {
      closed = report;
    });
    await clock.advance(5_000);
    expect([closed, waiting.released, waiting.verdicts]).toEqual([undefined, 1, []]);
    ends[0]!();
    await clock.advance(0);
    expect([closed, running.verdicts]).toEqual([{ unsent: 0, unsettled: 0 }, [ack]]);
  });

  test("reports after its deadline what is still handled", async () => {
    const { clock, fake, bus, handler } = setUp();
    await bus.subscribe("t", handler, { group: "g", concurrency: 3 });
    for (let n = 0; n < 5; n++) fake.feed(n);
    const closing = bus.close({ deadlineMs: 1_000 });
    await clock.advance(1_000);
    expect(await closing).toEqual({ unsent: 0, unsettled: 3 });
  });

  test("lets nothing through to a transport that would still take it", async () => {
    const { fake, bus } = setUp();
    await bus.close();
    await expect(bus.publish("t", 1)).rejects.toMatchObject({ code: "closed" });
    expect(() => bus.post("t", 1)).toThrow(expect.objectContaining({ code: "closed" }));
    expect(fake.given).toEqual([]);
  });
});
