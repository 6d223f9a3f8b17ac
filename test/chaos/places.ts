import { type Catalog, createEventBus, type EventBus, EventError, type PublishItem, type Transport } from "waybill";
import { jetstreamTransport, type StreamSpec } from "waybill/jetstream";
import { kafkaTransport } from "waybill/kafka";
import { confluentDriver } from "waybill/kafka/confluent";
import { memoryTransport } from "waybill/memory";
import { fnv1a } from "../../adapters/jetstream/subjects.ts";
import { startJetStream } from "../adapters/jetstream/setup.ts";
import { startKafka } from "../support/kafka-broker.ts";

/** A bus with one transport, named `on`. */
export type ChaosBus = EventBus<Catalog, { on: Transport }>;

/** A broker under test. */
export interface Place extends AsyncDisposable {
  readonly name: string;
  /** Whether groups keep the order of each key. */
  readonly keyed: boolean;
  /** How another process reaches the broker; neither is set for the one in memory. */
  readonly reach: { readonly port?: number; readonly brokers?: string };
  /** A destination of that name, which exists from now on. */
  destination(name: string): Promise<string>;
  /** The lane of a key, where one that waits holds up all keys of its lane; else undefined. */
  laneOf(key: string): number | undefined;
  /** A transport of its own, as another process would have it. */
  transport(): Promise<Transport>;
}

/** Members of one process share the broker that lies in it. */
export function memoryPlace(): Promise<Place> {
  const shared = memoryTransport();
  return Promise.resolve({
    name: "memory",
    keyed: true,
    reach: {},
    destination: (name) => Promise.resolve(`memory.${name}`),
    laneOf: () => undefined,
    // A member that leaves does not take the broker along.
    transport: () => Promise.resolve({ ...shared, close: async () => ({ unsent: 0, unsettled: 0 }) }),
    [Symbol.asyncDispose]: async () => void (await shared.close()),
  });
}

/** With partitions it keeps the order of each key, and one event of a partition waits for the other. */
export async function jetstreamPlace(partitions?: number, ackWaitMs = 5_000): Promise<Place> {
  const js = await startJetStream();
  const first = partitions === undefined ? "plain" : "keyed";
  const streams: StreamSpec[] = [{ name: first.toUpperCase(), subjects: [`${first}.*`], partitions }];
  return {
    name: partitions === undefined ? "JetStream" : "JetStream with partitions",
    keyed: partitions !== undefined,
    reach: { port: js.server.port },
    destination: (name) => Promise.resolve(`${first}.${name}`),
    laneOf: (key) => (partitions === undefined ? undefined : fnv1a(key) % partitions),
    transport: async () => jetstreamTransport({ connection: await js.connect(), streams, ackWaitMs }),
    [Symbol.asyncDispose]: () => js[Symbol.asyncDispose](),
  };
}

/** By Confluent's client. */
export async function kafkaPlace(sessionTimeoutMs = 6_000, drainMs?: number): Promise<Place> {
  const broker = await startKafka();
  return {
    name: "Kafka",
    keyed: true,
    reach: { brokers: broker.brokers },
    async destination(name) {
      await broker.createTopic(name, 4);
      return name;
    },
    laneOf: () => undefined,
    transport: () => {
      const driver = confluentDriver({ brokers: broker.brokers, sessionTimeoutMs });
      return Promise.resolve(kafkaTransport({ driver, commitIntervalMs: 100, drainMs }));
    },
    [Symbol.asyncDispose]: () => broker.stop(),
  };
}

/** A bus at a place, and what it reported beside failed handlers. */
export async function openBus(place: Place): Promise<{ bus: ChaosBus; errors: EventError[] }> {
  const bus = createEventBus({ source: "/chaos", transports: { on: await place.transport() } });
  const errors: EventError[] = [];
  bus.onError((error) => {
    if (error.code !== "handler-failed") errors.push(error);
  });
  return { bus, errors };
}

/** Publishes them all; throws for the first that was not stored. */
export async function publishAll(bus: ChaosBus, items: readonly PublishItem[]): Promise<void> {
  for (const result of await bus.publishAll(items as never)) if (result instanceof EventError) throw result;
}

/** How many messages are stored at a destination. */
export async function stored(place: Place, destination: string): Promise<number> {
  const transport = await place.transport();
  let count = 0;
  for await (const _ of transport.read!({ destination })) count++;
  await transport.close();
  return count;
}
