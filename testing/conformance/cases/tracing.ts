import { propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { ConformanceCase } from "../case.ts";
import { expectEqual, expectTrue } from "../expect.ts";
import { listening, rawMessage, type } from "./support.ts";

const spanContext = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: 1,
  isRemote: true,
};

/** What a sender would publish in: a span of another service, with baggage. */
const sent = propagation.setBaggage(
  trace.setSpanContext(ROOT_CONTEXT, spanContext),
  propagation.createBaggage({ tenant: { value: "a b;c=ü" } }),
);

/** The trace goes on over each hop, whether or not an SDK is there. */
export const tracing: readonly ConformanceCase[] = [
  {
    id: "trace.context",
    title: "a handler runs in the trace of its publisher, with the baggage",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      await bus.publish(type, {}, { destination, context: sent });
      const [{ delivery }] = (await got.waitFor(1)) as [(typeof got.received)[0]];
      expectEqual(trace.getSpanContext(delivery.context)?.traceId, spanContext.traceId, "the trace id");
      const baggage = propagation.getBaggage(delivery.context);
      expectEqual(baggage?.getEntry("tenant")?.value, "a b;c=ü", "the baggage");
    },
  },
  {
    id: "trace.hops",
    title: "what a handler publishes goes on in the trace and names its cause",
    core: true,
    async run(context) {
      const [first, second] = [await context.destination(), await context.destination()];
      const bus = await context.bus();
      const got = context.recorder();
      await bus.subscribe(type, (_, delivery) => delivery.publish(type, {}, { destination: second }), {
        destination: first,
      });
      await bus.subscribe(type, got.handler, { destination: second });
      const { id } = await bus.publish(type, {}, { destination: first, context: sent });
      const [{ delivery, event }] = (await got.waitFor(1)) as [(typeof got.received)[0]];
      expectEqual(trace.getSpanContext(delivery.context)?.traceId, spanContext.traceId, "the trace id");
      const { correlationid, causationid } = event.extensions;
      expectEqual([correlationid, causationid], [id, id], "correlation and causation");
    },
  },
  {
    id: "trace.state",
    title: "the trace state arrives as it was",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const headers = ["traceparent", `00-${spanContext.traceId}-${spanContext.spanId}-01`, "tracestate", "a=1,b=2@c"];
      const body = JSON.stringify({ specversion: "1.0", id: "1", source: "/raw", type, data: {} });
      await bus.client.transport.publish([rawMessage(destination, body, { headers })]);
      const [{ delivery }] = (await got.waitFor(1)) as [(typeof got.received)[0]];
      expectEqual(trace.getSpanContext(delivery.context)?.traceState?.serialize(), "a=1,b=2@c", "the trace state");
    },
  },
  {
    id: "trace.hostile",
    title: "trace headers that are none cost the trace, not the event",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context);
      const headers = ["traceparent", "00-zz", "tracestate", "=,".repeat(2_000), "baggage", "%%%=;,".repeat(500)];
      const body = JSON.stringify({ specversion: "1.0", id: "1", source: "/raw", type, data: {} });
      await bus.client.transport.publish([rawMessage(destination, body, { headers })]);
      const [{ delivery }] = (await got.waitFor(1)) as [(typeof got.received)[0]];
      expectTrue(trace.getSpanContext(delivery.context) === undefined, "a trace was made of nothing");
    },
  },
  {
    id: "trace.trust",
    title: "a subscription that does not trust its senders forgets their trace and baggage",
    core: true,
    async run(context) {
      const { bus, destination, got } = await listening(context, { trust: "drop" });
      await bus.publish(type, {}, { destination, context: sent });
      const [{ delivery }] = (await got.waitFor(1)) as [(typeof got.received)[0]];
      expectTrue(trace.getSpanContext(delivery.context)?.traceId !== spanContext.traceId, "the trace goes on");
      expectEqual(propagation.getBaggage(delivery.context)?.getAllEntries() ?? [], [], "the baggage");
    },
  },
];
