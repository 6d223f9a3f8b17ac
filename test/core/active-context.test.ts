// What publishing does later, after a promise or in another event's turn, it does in the context of the call.

import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { StackContextManager } from "@opentelemetry/sdk-trace-web";
import * as v from "valibot";
import { afterEach, describe, expect, test } from "vitest";
import { createEventBus, defineEvents } from "waybill";
import { memoryTransport } from "waybill/memory";

const slow = v.pipeAsync(
  v.unknown(),
  v.checkAsync(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return true;
  }),
);
const events = defineEvents({
  plain: { schema: v.unknown() },
  chained: { schema: v.unknown() },
  slow: { schema: slow },
});
const trace1 = (n: number): string => String(n).padStart(32, "0");
const inTrace = <T>(n: number, run: () => T): T =>
  context.with(trace.setSpanContext(ROOT_CONTEXT, { traceId: trace1(n), spanId: "b".repeat(16), traceFlags: 1 }), run);

function setUp() {
  const memory = memoryTransport();
  const traces = new Map<unknown, string | undefined>();
  const bus = createEventBus({
    source: "/t",
    events,
    transports: { memory, other: memoryTransport() },
    routes: [
      { type: "chained", to: ["memory", "other"] },
      { type: "**", to: "memory" },
    ],
  });
  const seen = async (count: number): Promise<void> => {
    const subscription = await bus.subscribe(
      "**",
      ({ data }, { headers }) => void traces.set(data, headers.get("traceparent")?.slice(3, 35)),
      { transport: "memory", from: "earliest" },
    );
    while (traces.size < count) await new Promise((resolve) => setTimeout(resolve, 1));
    await subscription.close();
    await bus.close();
  };
  return { bus, traces, seen };
}

describe.each([
  ["browsers", () => new StackContextManager()],
  ["servers", () => new AsyncLocalStorageContextManager()],
])("the context manager of %s", (_, manager) => {
  afterEach(() => context.disable());

  test("gives every way to publish the trace of its call", async () => {
    context.setGlobalContextManager(manager().enable());
    const { bus, traces, seen } = setUp();
    const ways: (() => Promise<unknown>)[] = [
      () => bus.publish("plain", 1),
      () => bus.publish("chained", 2),
      () => bus.publish("slow", 3),
      () =>
        bus.publishAll([
          { type: "slow", data: 4 },
          { type: "plain", data: 5 },
        ]),
    ];
    await Promise.all(ways.map((publish, n) => inTrace(n + 1, publish)));
    await seen(5);
    expect([1, 2, 3, 4, 5].map((n) => traces.get(n))).toEqual([1, 2, 3, 4, 4].map(trace1));
  });

  test("keeps the traces of a batch's events apart, of those too that wait for room", async () => {
    context.setGlobalContextManager(manager().enable());
    const { bus, traces, seen } = setUp();
    const batch = bus.batch({ maxEvents: 1, maxInFlight: 1, maxBuffered: 1 });
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => inTrace(n, () => batch.add(n === 4 ? "slow" : "plain", n))));
    await seen(6);
    expect([1, 2, 3, 4, 5, 6].map((n) => traces.get(n))).toEqual([1, 2, 3, 4, 5, 6].map(trace1));
  });
});
