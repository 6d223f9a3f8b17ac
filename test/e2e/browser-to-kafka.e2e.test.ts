import { connect } from "@nats-io/transport-node";
import { propagation, SpanKind } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEventBus, type EventBus, type Trust } from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { natsConnectDefaults, natsTransport } from "waybill/nats";
import { createBridge } from "waybill/patterns";
import { openPage, type TestPage } from "../support/chromium.ts";
import { type KafkaBroker, startKafka } from "../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import type { PageApi } from "./page.ts";
import { byEvent, factsOf, orphansOf, type SpanFacts } from "./span-facts.ts";

const count = 1000;
let nats: NatsServer;
let kafka: KafkaBroker;
let page: TestPage;

beforeAll(async () => {
  // One after the other, so that a failure leaves the others to be stopped.
  nats = await startNatsServer();
  kafka = await startKafka();
  page = await openPage("test/e2e/page.ts");
});
afterAll(async () => {
  await page?.[Symbol.asyncDispose]();
  await Promise.all([nats?.stop(), kafka?.stop()]);
});

/** A service of the test: its spans are kept apart. */
function service(name: string): { tracerProvider: BasicTracerProvider; spans: () => SpanFacts[] } {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracerProvider, spans: () => exporter.getFinishedSpans().map((span) => factsOf(name, span)) };
}

interface Journey {
  readonly ids: readonly string[];
  readonly handled: readonly { id: string; consumer: number; key: string | undefined; tenant: string | undefined }[];
  readonly spans: readonly SpanFacts[];
  readonly errors: readonly string[];
}

/** The page publishes, the bridge carries, two consumers of a group handle. */
async function travel(client: "wsconnect" | "nats.ws", trust: Trust): Promise<Journey> {
  const topic = `orders-${client.replace(".", "-")}-${trust}`;
  const subject = `e2e.${topic}`;
  await kafka.createTopic(topic, 4);
  const handled: Journey["handled"][number][] = [];
  const errors: string[] = [];
  const watch = (bus: EventBus): void => void bus.onError((error) => errors.push(`${error.code}: ${error.message}`));
  const kafkaOf = () => kafkaTransport({ driver: confluentDriver({ brokers: [kafka.brokers] }) });

  const services = [service("consumer"), service("consumer"), service("bridge")] as const;
  const consumers = await Promise.all(
    [0, 1].map(async (consumer) => {
      const { tracerProvider } = services[consumer as 0 | 1];
      const bus = createEventBus({ source: "/e2e/consumer", transports: { kafka: kafkaOf() }, tracerProvider });
      watch(bus);
      await bus.subscribe(
        subject,
        (event, delivery) => {
          const tenant = propagation.getBaggage(delivery.context)?.getEntry("tenant")?.value;
          handled.push({ id: event.id, consumer, key: delivery.key, tenant });
        },
        { destination: topic, group: "handlers" },
      );
      return bus;
    }),
  );
  const connection = await connect({ servers: nats.url, ...natsConnectDefaults({ name: "bridge" }) });
  const bridgeBus = createEventBus({
    source: "/e2e/bridge",
    transports: { nats: natsTransport({ connection }), kafka: kafkaOf() },
    routes: [{ type: "**", to: "nats" }],
    tracerProvider: services[2].tracerProvider,
  });
  watch(bridgeBus);
  const bridge = await createBridge({
    from: { bus: bridgeBus, types: subject, transport: "nats", group: "bridge", trust },
    to: { bus: bridgeBus, transport: "kafka", destination: topic },
  });

  const published = await page.page.evaluate(
    ([client, servers, subject, count]) =>
      (globalThis as unknown as { api: PageApi }).api.publish(client, servers, subject, count),
    [client, nats.websocketUrl, subject, count] as const,
  );
  const until = Date.now() + 60_000;
  while (handled.length < count && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await bridgeBus.close()).toEqual({ unsent: 0, unsettled: 0 });
  // Counted when Kafka has confirmed, which can be later than its consumers have handled it.
  expect(bridge.forwarded).toBe(count);
  for (const bus of consumers) expect(await bus.close()).toEqual({ unsent: 0, unsettled: 0 });
  await connection.close();
  const spans = [...published.spans, ...services.flatMap((each) => each.spans())];
  return { ids: published.ids, handled, spans, errors };
}

function checkDelivery({ ids, handled, errors }: Journey): void {
  expect(errors).toEqual([]);
  expect(page.errors).toEqual([]);
  expect(ids.length).toBe(count);
  expect(handled.map(({ id }) => id).sort()).toEqual([...ids].sort());
  // Both members of the group took part, and no key went to both.
  const members = new Map<string, Set<number>>();
  for (const { key, consumer } of handled) members.set(key!, (members.get(key!) ?? new Set()).add(consumer));
  expect(new Set(handled.map(({ consumer }) => consumer)).size).toBe(2);
  expect([...members.values()].every((of) => of.size === 1)).toBe(true);
  expect(members.size).toBe(50);
}

const steps = ["page publish", "bridge process", "bridge publish", "consumer process"] as const;

function stepsOf(spans: readonly SpanFacts[]): SpanFacts[] {
  return steps.map((step) => {
    const [service, operation] = step.split(" ");
    const found = spans.filter(
      (span) => span.service === service && span.attributes["messaging.operation.name"] === operation,
    );
    expect(found, step).toHaveLength(1);
    return found[0]!;
  });
}

describe("from a page in Chromium to a consumer group on Kafka", () => {
  test.each(["wsconnect", "nats.ws"] as const)(
    `${count} events over %s are ${count} traces without orphans`,
    async (client) => {
      const journey = await travel(client, "continue");
      checkDelivery(journey);
      expect(journey.handled.every(({ tenant }) => tenant === "acme")).toBe(true);
      expect(journey.spans).toHaveLength(count * steps.length);
      expect(orphansOf(journey.spans)).toEqual([]);
      expect(new Set(journey.spans.map(({ traceId }) => traceId)).size).toBe(count);

      const topic = `orders-${client.replace(".", "-")}-continue`;
      const subject = `e2e.${topic}`;
      for (const spans of byEvent(journey.spans).values()) {
        const [publish, carry, store, handle] = stepsOf(spans) as [SpanFacts, SpanFacts, SpanFacts, SpanFacts];
        expect(spans.map(({ traceId }) => traceId)).toEqual(Array(4).fill(publish.traceId));
        expect([publish.parentId, carry.parentId, store.parentId, handle.parentId]).toEqual([
          undefined,
          publish.spanId,
          carry.spanId,
          store.spanId,
        ]);
        expect([publish, carry, store, handle].map(({ kind }) => kind)).toEqual([
          SpanKind.PRODUCER,
          SpanKind.CONSUMER,
          SpanKind.PRODUCER,
          SpanKind.CONSUMER,
        ]);
        expect([publish, carry, store, handle].map(({ name }) => name)).toEqual([
          `publish ${subject}`,
          `process ${subject}`,
          `publish ${topic}`,
          `process ${topic}`,
        ]);
        // Both process spans are linked to the span that made the event.
        const created = [{ traceId: publish.traceId, spanId: publish.spanId }];
        expect([carry.links, handle.links]).toEqual([created, created]);
        expect(publish.attributes).toMatchObject({
          "messaging.system": "nats",
          "messaging.operation.name": "publish",
          "messaging.operation.type": "send",
          "messaging.destination.name": subject,
        });
        expect(carry.attributes).toMatchObject({
          "messaging.operation.type": "process",
          "messaging.consumer.group.name": "bridge",
        });
        expect(handle.attributes).toMatchObject({
          "messaging.system": "kafka",
          "messaging.operation.name": "process",
          "messaging.destination.name": topic,
          "messaging.consumer.group.name": "handlers",
          "messaging.destination.partition.id": store.attributes["messaging.destination.partition.id"],
          "messaging.kafka.offset": store.attributes["messaging.kafka.offset"],
          "messaging.kafka.message.key": store.attributes["messaging.kafka.message.key"],
        });
        expect(handle.attributes["messaging.destination.partition.id"]).toMatch(/^[0-3]$/);
        expect(handle.attributes["messaging.kafka.offset"]).toEqual(expect.any(Number));
      }
    },
  );

  test('with trust "link" each event has two traces joined by one link, and its baggage is gone', async () => {
    const journey = await travel("wsconnect", "link");
    checkDelivery(journey);
    expect(journey.handled.every(({ tenant }) => tenant === undefined)).toBe(true);
    expect(orphansOf(journey.spans)).toEqual([]);
    expect(new Set(journey.spans.map(({ traceId }) => traceId)).size).toBe(2 * count);
    for (const spans of byEvent(journey.spans).values()) {
      const [publish, carry, store, handle] = stepsOf(spans) as [SpanFacts, SpanFacts, SpanFacts, SpanFacts];
      expect(carry.parentId).toBeUndefined();
      expect([store.traceId, handle.traceId]).toEqual([carry.traceId, carry.traceId]);
      expect([store.parentId, handle.parentId]).toEqual([carry.spanId, store.spanId]);
      const across = spans.flatMap(({ traceId, links }) => links.filter((link) => link.traceId !== traceId));
      expect(across).toEqual([{ traceId: publish.traceId, spanId: publish.spanId }]);
    }
  });
});
