import { randomUUID } from "node:crypto";
import { connect } from "@nats-io/transport-node";
import { defaultTextMapGetter, ROOT_CONTEXT } from "@opentelemetry/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  b3,
  type CloudEvent,
  type Codec,
  cloudEventsBinary,
  cloudEventsStructured,
  createEventBus,
  type EventBus,
  type EventError,
  envelope,
  type HandlerDelivery,
  type PublishOptions,
  type Transport,
} from "waybill";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { natsTransport } from "waybill/nats";
import { type KafkaBroker, startKafka } from "../../support/kafka-broker.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";

const codecs: [string, Codec][] = [
  ["binary", cloudEventsBinary()],
  ["structured", cloudEventsStructured()],
  ["envelope", envelope()],
];
const options: PublishOptions = {
  id: "id é%",
  subject: 'Euro € "😀" 100%',
  time: "2026-01-02T03:04:05.123456789Z",
  extensions: { comext: "ü 😀", partitionkey: "k" },
};
const data = { text: "é 😀", list: [1, null, true] };

type Received = { event: CloudEvent; headers: HandlerDelivery["headers"] };

/** A subscription to one destination whose events can be waited for. */
async function listen(bus: EventBus, type: string, group: string): Promise<{ next(): Promise<Received> }> {
  const waiting: Received[] = [];
  let arrived: (() => void) | undefined;
  await bus.subscribe(
    type,
    (event, { headers }) => {
      waiting.push({ event, headers });
      arrived?.();
    },
    { group },
  );
  return {
    async next() {
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
      return waiting.shift()!;
    },
  };
}

describe("over real brokers", () => {
  let nats: NatsServer;
  let kafka: KafkaBroker;
  const opened: (() => Promise<unknown>)[] = [];
  let transports: Record<"nats" | "kafka", () => Promise<Transport>>;

  beforeAll(async () => {
    [nats, kafka] = await Promise.all([startNatsServer(), startKafka()]);
    transports = {
      async nats() {
        const connection = await connect({ servers: nats.url });
        opened.push(() => connection.close());
        return natsTransport({ connection });
      },
      kafka: async () => kafkaTransport({ driver: confluentDriver({ brokers: kafka.brokers }) }),
    };
  });
  afterAll(async () => {
    for (const close of opened.reverse()) await close();
    await kafka?.stop();
    await nats?.stop();
  });

  async function busOn(name: "nats" | "kafka", codec: Codec): Promise<EventBus> {
    const bus = createEventBus({ source: "/s é", transports: { [name]: await transports[name]() }, codec });
    opened.push(() => bus.close());
    return bus as EventBus;
  }

  const cases = (["nats", "kafka"] as const).flatMap((name) =>
    codecs.map(([mode, codec]) => [name, mode, codec] as const),
  );
  test.each(cases)("%s carries an event in %s mode", async (name, _, codec) => {
    const bus = await busOn(name, codec);
    const type = `t-${randomUUID()}`;
    if (name === "kafka") await kafka.createTopic(type, 1);
    const listening = await listen(bus, type, "g");
    const { extensions, ...attributes } = options;
    await bus.publish(type, data, { ...attributes, extensions: { comext: extensions!.comext! }, key: "k" });
    const { event } = await listening.next();
    expect(event).toMatchObject({ ...attributes, type, source: "/s é", data });
    expect({ ...event.extensions }).toMatchObject(extensions!);
  });

  test("bytes travel in structured mode", async () => {
    const bus = await busOn("nats", cloudEventsStructured());
    const type = `t-${randomUUID()}`;
    const listening = await listen(bus, type, "g");
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    await bus.publish(type, bytes, { datacontenttype: "image/png" });
    const { event, headers } = await listening.next();
    expect(headers.get("Content-Type")).toBe("application/cloudevents+json");
    expect(Buffer.compare(event.data as Uint8Array, bytes)).toBe(0);
  });

  test("what Go's SDK sends, structured and without any header, is read, and a batch is refused", async () => {
    const bus = await busOn("nats", cloudEventsBinary());
    const errors: EventError[] = [];
    bus.onError((error) => errors.push(error));
    const type = `t-${randomUUID()}`;
    const listening = await listen(bus, type, "g");
    const connection = await connect({ servers: nats.url });
    opened.push(() => connection.close());
    const event = { specversion: "1.0", id: "go-1", source: "/go", type, data: { a: 1 } };
    connection.publish(type, JSON.stringify([event]));
    connection.publish(type, JSON.stringify(event));
    expect((await listening.next()).event).toMatchObject({ id: "go-1", data: { a: 1 } });
    expect(errors.map(({ code }) => code)).toEqual(["malformed-message"]);
  });

  test("B3 travels in the headers of both", async () => {
    for (const name of ["nats", "kafka"] as const) {
      const transport = await transports[name]();
      const bus = createEventBus({ source: "/s", transports: { transport }, propagator: b3() }) as EventBus;
      opened.push(() => bus.close());
      const type = `t-${randomUUID()}`;
      if (name === "kafka") await kafka.createTopic(type, 1);
      const listening = await listen(bus, type, "g");
      const header = `${"1".repeat(32)}-${"2".repeat(16)}-d`;
      const context = b3().extract(ROOT_CONTEXT, { b3: header }, defaultTextMapGetter);
      await bus.publish(type, {}, { context });
      expect((await listening.next()).headers.getAll("b3")).toEqual([header]);
    }
  });
});
