import type { TextMapPropagator } from "@opentelemetry/api";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { describe, expect, test, vi } from "vitest";
import { createEventBus, EventError, w3cBaggage, w3cTraceContext } from "waybill";
import { memoryTransport } from "waybill/memory";
import { createBridge } from "waybill/patterns";
import { fakeClock } from "waybill/testing";
import type { Clock } from "../../core/clock.ts";

const setUp = (options: { clock?: Clock; propagator?: TextMapPropagator } = {}) => {
  const transport = memoryTransport();
  const bus = createEventBus({ source: "/t", transports: { memory: transport }, ...options });
  const errors: EventError[] = [];
  bus.onError((error) => void errors.push(error));
  return { transport, bus, errors };
};
const binary = (id: string, ...more: string[]) => ({
  destination: "a",
  headers: ["ce-specversion", "1.0", "ce-id", id, "ce-source", "/s", "ce-type", "a", ...more],
  body: "{}",
});

describe("a propagator that throws on what it reads", () => {
  const propagator: TextMapPropagator = {
    inject: () => undefined,
    extract: () => {
      throw new Error("%E0%A4");
    },
    fields: () => [],
  };

  test.each([false, true])("costs the trace and not the event, in batches: %s", async (batches) => {
    const { bus, errors } = setUp({ propagator });
    const seen: string[] = [];
    if (batches) {
      const batch = { maxEvents: 2, maxWaitMs: 1 };
      await bus.subscribe("a", (entries) => void seen.push(...entries.map(({ event }) => event.id)), {
        group: "g",
        batch,
      });
    } else {
      await bus.subscribe("a", ({ id }, delivery) => void seen.push(delivery.context === ROOT_CONTEXT ? id : "?"), {
        group: "g",
      });
    }
    await bus.publishAll([
      { type: "a", data: 1, id: "1" },
      { type: "a", data: 2, id: "2" },
    ]);
    await vi.waitFor(() => expect(seen).toEqual(["1", "2"]));
    expect(errors).toEqual([]);
    await bus.close();
  });
});

test("a getter that answers null where OpenTelemetry's type says undefined is understood", () => {
  const getter = {
    get: (carrier: Map<string, string>, name: string) => carrier.get(name) ?? (null as never),
    keys: () => [],
  };
  for (const propagator of [w3cTraceContext(), w3cBaggage()]) {
    expect(propagator.extract(ROOT_CONTEXT, new Map(), getter)).toBe(ROOT_CONTEXT);
  }
});

test("whatever a handler throws has an error, and the next event is handled", async () => {
  const clock = fakeClock();
  const { bus, errors } = setUp({ clock });
  const seen: unknown[] = [];
  await bus.subscribe("a", ({ data }) => {
    seen.push(data);
    if (data === 1) throw Object.create(null);
  });
  await bus.publish("a", 1);
  await bus.publish("a", 2);
  await vi.waitFor(() => expect(seen).toContain(2));
  expect(errors.map(({ code }) => code)).toEqual(["handler-failed"]);
  expect(EventError.from(Object.create(null)).message).toBe("transport-failed");
  void bus.close({ deadlineMs: 0 });
});

describe("a bridge", () => {
  test.each([
    ["tabs in a legal tracestate", ["tracestate", "a=1,\tb=2"], `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, "a=1,b=2"],
    ["a traceparent that is none", ["tracestate", "a=1"], "x\u0001", undefined],
  ])("loses no event by %s", async (_, more, traceparent, tracestate) => {
    const [from, to] = [setUp(), setUp()];
    const arrived: [string, unknown, unknown][] = [];
    await to.bus.subscribe("a", ({ id, extensions }) => {
      arrived.push([id, extensions.traceparent, extensions.tracestate]);
    });
    await createBridge({ from: { bus: from.bus, types: "a", group: "bridge" }, to: { bus: to.bus } });
    await from.transport.publish([binary("1", "traceparent", traceparent, ...more)]);
    await vi.waitFor(() => expect(arrived).toHaveLength(1));
    expect(arrived).toEqual([["1", tracestate && traceparent, tracestate]]);
    expect([...from.errors, ...to.errors]).toEqual([]);
    for (const { bus } of [from, to]) await bus.close();
  });

  test("keeps the key that stands beside an event", async () => {
    const [from, to] = [setUp(), setUp()];
    const keys: (string | undefined)[] = [];
    await to.bus.subscribe("a", (_, { key }) => void keys.push(key));
    await createBridge({ from: { bus: from.bus, types: "a", group: "bridge" }, to: { bus: to.bus } });
    await from.transport.publish([{ ...binary("1"), key: "k1" }]);
    await vi.waitFor(() => expect(keys).toEqual(["k1"]));
    for (const { bus } of [from, to]) await bus.close();
  });

  test.each(["-5", "1.5", "x", "8"])("takes no count of hops such as %s", async (hops) => {
    const [from, to] = [setUp(), setUp()];
    await createBridge({ from: { bus: from.bus, types: "a", group: "bridge" }, to: { bus: to.bus } });
    await from.transport.publish([binary("1", "ce-waybillhops", hops)]);
    await vi.waitFor(() => expect(from.errors.map(({ code }) => code)).toEqual(["hop-limit"]));
    for (const { bus } of [from, to]) await bus.close();
  });
});
