import { createNoopMeter, type Meter, type MeterProvider } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { createEventBus, fixedBackoff, type IdempotencyStore, type SubscribeOptions } from "waybill";
import { memoryIdempotency } from "waybill/memory";
import { fakeClock } from "waybill/testing";
import { handFedTransport } from "./delivery/hand-fed-transport.ts";

const options = { destination: "t", group: "g", concurrency: 1 } satisfies SubscribeOptions;

function setUp(more: Partial<Parameters<typeof createEventBus>[0]> = {}) {
  const clock = fakeClock();
  const fake = handFedTransport();
  const bus = createEventBus({ source: "/s", transports: { fake: fake.transport }, clock, ...more });
  return { clock, fake, bus };
}

/** Meters whose histograms throw. */
function throwingMeters(): MeterProvider {
  const record = (): never => {
    throw new Error("no more is measured");
  };
  const meter = new Proxy(createNoopMeter(), {
    get: (noop, name: keyof Meter) => (name === "createHistogram" ? () => ({ record }) : noop[name].bind(noop)),
  });
  return { getMeter: () => meter };
}

describe("an attempt has one outcome", () => {
  test.each(["resolves", "rejects"])("its time being over, where its handler %s later", async (how) => {
    const { clock, fake, bus } = setUp();
    const log: string[] = [];
    const late: (() => void)[] = [];
    const retry = { attempts: 3, backoff: fixedBackoff(10_000) };
    const handle = (id: string): Promise<void> => {
      log.push(`+${id}`);
      return new Promise((resolve, reject) =>
        late.push(() => (how === "resolves" ? resolve() : reject(new Error("late")))),
      );
    };
    await bus.subscribe("t", ({ id }) => handle(id), { ...options, retry: { ...retry, timeoutMs: 1_000 } });
    const first = fake.feed(1);
    await clock.advance(1_000);
    expect(first.verdicts).toEqual([{ kind: "retry", delayMs: 10_000 }]);
    late[0]!();
    await clock.advance(0);
    // Had it counted twice, two could run at once.
    fake.feed(2);
    fake.feed(3);
    await clock.advance(0);
    expect(log).toEqual(["+e-1", "+e-2"]);
    expect(first.verdicts).toHaveLength(1);
  });
  test("a handler that gives no promise is done at once", async () => {
    const { clock, fake, bus } = setUp();
    await bus.subscribe("t", () => 1, options);
    const fed = [1, 2, 3].map((n) => fake.feed(n));
    await clock.advance(0);
    for (const { verdicts } of fed) expect(verdicts).toEqual([{ kind: "ack" }]);
  });
});

test("where not even a failure can be dealt with, the event comes again", async () => {
  const { clock, fake, bus } = setUp();
  let tried = 0;
  let broken = true;
  await bus.subscribe("t", () => void tried++, options);
  const { verdicts } = fake.feed(1, {
    onSettle() {
      if (broken) throw new Error("a transport's mistake");
    },
  });
  await clock.advance(4_999);
  expect([tried, verdicts]).toEqual([1, []]);
  broken = false;
  await clock.advance(1);
  expect([tried, verdicts]).toEqual([2, [{ kind: "ack" }]]);
});

test("a claim that was committed is not given back, though the event cannot be settled", async () => {
  const { clock, fake, bus } = setUp();
  let released = 0;
  const memory = memoryIdempotency({ clock });
  const release: IdempotencyStore["release"] = (key, token) => {
    released++;
    return memory.release(key, token);
  };
  await bus.subscribe("t", () => undefined, { ...options, idempotency: { store: { ...memory, release } } });
  fake.feed(1, {
    onSettle() {
      throw new Error("a transport's mistake");
    },
  });
  await clock.advance(1_000);
  expect(released).toBe(0);
});

test("telemetry that throws changes no verdict", async () => {
  const { clock, fake, bus } = setUp({ meterProvider: throwingMeters() });
  let handled = 0;
  await bus.subscribe("t", () => void handled++, options);
  const fed = [fake.feed(1), fake.feed(2)];
  await clock.advance(60_000);
  expect(handled).toBe(2);
  for (const { verdicts } of fed) expect(verdicts).toEqual([{ kind: "ack" }]);
});
