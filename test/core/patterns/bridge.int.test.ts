import { connect, type NatsConnection } from "@nats-io/transport-node";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type EventBus } from "waybill";
import { jetstreamTransport } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { createBridge } from "waybill/patterns";
import { byEvent, factsOf, orphansOf } from "../../e2e/span-facts.ts";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";

let nats: NatsServer;
let kafka: KafkaBroker;
let connection: NatsConnection;
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  kafka = await startKafka();
  connection = await connect({ servers: nats.url, maxReconnectAttempts: -1 });
});
afterAll(async () => {
  await connection?.close();
  await Promise.all([nats?.stop(), kafka?.stop()]);
});

const until = async (done: () => boolean, limitMs = 60_000): Promise<void> => {
  const end = Date.now() + limitMs;
  while (!done() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** A bus over JetStream and Kafka, its spans and its errors. */
function open(stream: string) {
  const exporter = new InMemorySpanExporter();
  const errors: string[] = [];
  const bus: EventBus = createEventBus({
    source: "/bridges",
    transports: {
      jetstream: jetstreamTransport({ connection, streams: [{ name: stream, subjects: [`${stream}.>`] }] }),
      kafka: kafkaTransport({ driver: confluentDriver({ brokers: kafka.brokers }), commitIntervalMs: 100 }),
    },
    routes: [{ type: "**", to: "jetstream" }],
    tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  });
  bus.onError((error) => void errors.push(error.code));
  return { bus, errors, spans: () => exporter.getFinishedSpans().map((span) => factsOf("bridges", span)) };
}

describe("bridges between JetStream and Kafka", () => {
  test("JetStream to Kafka to JetStream: each event once, in one trace, with its identity and key", async () => {
    const count = 1000;
    await kafka.createTopic("between", 4);
    const { bus, errors, spans } = open("THERE");
    const handled: { id: string; source: string; key: string | undefined; created: unknown }[] = [];
    await bus.subscribe(
      "order.placed",
      (event, { key }) => {
        const { id, source, extensions } = event;
        handled.push({ id, source, key, created: extensions.traceparent });
      },
      { transport: "jetstream", destination: "THERE.back", group: "end", concurrency: 16 },
    );
    const types = "order.placed";
    const out = await createBridge({
      from: { bus, types, transport: "jetstream", destination: "THERE.out", group: "out" },
      to: { bus, transport: "kafka", destination: "between" },
    });
    const back = await createBridge({
      from: { bus, types, transport: "kafka", destination: "between", group: "back" },
      to: { bus, transport: "jetstream", destination: "THERE.back" },
    });
    const receipts = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        bus.publish("order.placed", { n }, { destination: "THERE.out", key: `k-${n % 20}` }),
      ),
    );
    await until(() => handled.length >= count);
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    // Counted when the target has confirmed, which can be later than its consumers have handled it.
    expect([out.forwarded, back.forwarded]).toEqual([count, count]);
    expect(errors).toEqual([]);
    expect(handled.map(({ id }) => id).sort()).toEqual(receipts.map(({ id }) => id).sort());
    expect(new Set(handled.map(({ source }) => source))).toEqual(new Set(["/bridges"]));
    expect(new Set(handled.map(({ key }) => key)).size).toBe(20);

    const all = spans();
    expect(orphansOf(all)).toEqual([]);
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(count);
    const created = new Map(handled.map((event) => [event.id, event.created]));
    for (const [id, own] of byEvent(all)) {
      expect(own.map(({ attributes }) => attributes["messaging.operation.name"]).sort()).toEqual([
        "process",
        "process",
        "process",
        "publish",
        "publish",
        "publish",
      ]);
      // The creation context is the first publish, whatever came between.
      const first = own.find(({ parentId }) => parentId === undefined)!;
      expect(created.get(id)).toBe(`00-${first.traceId}-${first.spanId}-01`);
    }
  });

  test("a loop of two ends at the hop limit, and says so once for each event", async () => {
    const count = 20;
    const maxHops = 6;
    await kafka.createTopic("circle", 2);
    const { bus, errors } = open("CIRCLE");
    const types = "order.placed";
    const there = await createBridge({
      from: { bus, types, transport: "jetstream", destination: "CIRCLE.a", group: "there" },
      to: { bus, transport: "kafka", destination: "circle" },
      maxHops,
    });
    const back = await createBridge({
      from: { bus, types, transport: "kafka", destination: "circle", group: "back" },
      to: { bus, transport: "jetstream", destination: "CIRCLE.a" },
      maxHops,
    });
    await Promise.all(
      Array.from({ length: count }, (_, n) => bus.publish("order.placed", { n }, { destination: "CIRCLE.a" })),
    );
    await until(() => errors.length >= count);
    // Time for what should not come.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(errors).toEqual(Array(count).fill("hop-limit"));
    expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
    expect(there.forwarded + back.forwarded).toBe(count * maxHops);
  });
});
