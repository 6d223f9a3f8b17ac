/**
 * @module
 * Kafka: durable, ordered per key, shared by consumer groups. The client library comes in as a driver.
 */
import { EventError } from "../../core/errors.ts";
import type { Capabilities, ConsumeSource, Transport } from "../../core/transport.ts";
import type { DemandContext } from "./demand-context.ts";
import type { ConsumerSource } from "./driver.ts";
import { type KafkaTransportOptions, kafkaSettings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { StatusBoard } from "./status.ts";
import { KafkaSubscription } from "./subscription.ts";

export type {
  AssignedPartition,
  ConnectionEvents,
  ConsumerEvents,
  ConsumerSource,
  IncomingRecord,
  KafkaAdmin,
  KafkaConsumer,
  KafkaDriver,
  KafkaProducer,
  KafkaReader,
  KafkaTransactions,
  NewTopic,
  OutgoingRecord,
  PartitionOffset,
  PartitionRange,
  ProduceFailure,
  ProduceReport,
  ProducerEvents,
  ProducerOptions,
  TopicDescription,
  TopicPartition,
  TopicSettings,
  TransactionOptions,
} from "./driver.ts";
export type { Bound, KafkaTransportOptions } from "./options.ts";

/**
 * Binds Waybill to Kafka. Connects when it first publishes or consumes, and closes the clients it opened.
 *
 * Publishing: the outcome of each message carries partition and offset. What Kafka did not confirm is `unknown` and
 * not safe to send again, unless the client certainly never sent it.
 *
 * Consuming: offsets are committed only up to the first unfinished one. A retry comes again in its own partition with
 * the next attempt number, before everything that was not handed out yet; what was handed out meanwhile overtakes it.
 * A partition that is taken away is drained, then fenced. A retry that waits at that moment is not waited for: the next
 * owner gets the message as a first attempt, as after a crash. Without a group every partition that exists is read,
 * nothing is joined and nothing is committed.
 *
 * Reading: `read` gives what is stored when it is called, partition after partition, without what transactions have
 * aborted; an open transaction ends it before its first message. A position is `<partition>/<offset>`.
 *
 * Transactions: a publisher of `openTransactions` stores the messages of one call all or none, over several topics and
 * partitions, and its name is Kafka's transactional id. None is seen before all are stored by a reader of committed
 * messages, as this transport's consumers are; other programs have to ask for that. A message counts as stored while
 * its transaction is open, so it delays those behind it. The publisher opened last owns the name: it undoes what an
 * earlier one left, even one that was killed, and every call of that one rejects with `fenced`. Calls are stored in
 * their order. Offsets that consumers commit are in no transaction: a message that is consumed may be handled twice.
 *
 * Throws `invalid-option` for options that cannot work.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { kafkaTransport } from "waybill/kafka";
 * import { confluentDriver } from "waybill/kafka/confluent";
 *
 * const kafka = kafkaTransport({ driver: confluentDriver({ brokers: ["127.0.0.1:9092"] }) });
 * const bus = createEventBus({ source: "/shop", transports: { kafka } });
 * ```
 */
export function kafkaTransport(options: KafkaTransportOptions): Transport {
  const settings = kafkaSettings(options);
  const status = new StatusBoard();
  const publisher = new Publisher(settings, status);
  const subscriptions = new Set<KafkaSubscription>();
  const context: DemandContext = { settings, status, running: new Set() };
  let closing = false;
  const checkOpen = (): void => {
    if (closing) throw new EventError("closed", `Transport ${settings.name} is closed`);
  };
  // What few processes need is loaded by those.
  const load = async (): Promise<typeof import("./on-demand.ts")> => {
    checkOpen();
    const loaded = await import("./on-demand.ts");
    checkOpen();
    return loaded;
  };
  const capabilities: Capabilities = {
    system: "kafka",
    attributes: {
      key: "messaging.kafka.message.key",
      offset: "messaging.kafka.offset",
      tombstone: "messaging.kafka.message.tombstone",
    },
    binding: { prefix: "ce_", contentType: "content-type", percentEncoded: false },
    durable: true,
    redelivery: true,
    delayedRedelivery: true,
    keyOrder: true,
    contiguous: true,
    groups: true,
    replay: true,
    maxMessageBytes: settings.maxMessageBytes,
  };
  return {
    name: settings.name,
    capabilities,
    publish: (messages, { signal } = {}) => publisher.publish(messages, signal),
    post: (message) => publisher.post(message),
    async consume(source, sink) {
      const wanted = consumerSource(source);
      checkOpen();
      const subscription = new KafkaSubscription(settings, sink, status, (closed) => subscriptions.delete(closed));
      subscriptions.add(subscription);
      try {
        await subscription.open(wanted);
      } catch (error) {
        subscriptions.delete(subscription);
        status.forget(subscription);
        throw EventError.from(error);
      }
      return subscription;
    },
    async *read(wanted) {
      yield* (await load()).readStored(context, wanted);
    },
    ensure: async (spec) => (await load()).ensureTopic(context, spec),
    openTransactions: async (name) => (await load()).openTransactions(context, name),
    health: () => ({ state: status.state, buffered: publisher.buffered, bufferedBytes: publisher.bufferedBytes }),
    onStatus: (listener) => status.listen(listener),
    flush: ({ signal } = {}) => publisher.flush(60_000, signal),
    async close({ deadlineMs = 10_000 } = {}) {
      closing = true;
      const reports = [...subscriptions].map((each) => each.close({ deadlineMs }));
      const until = settings.clock.now() + deadlineMs;
      const unsettled = (await Promise.all(reports)).reduce((sum, report) => sum + report.unsettled, 0);
      // Handlers publish while they finish: what publishes goes last.
      const leftMs = Math.max(0, until - settings.clock.now());
      const ended = [...context.running].map((each) => each.close(leftMs));
      const unsent = (await Promise.all([publisher.close(leftMs), ...ended])).reduce((sum, left) => sum + left, 0);
      status.closed();
      return { unsent, unsettled };
    },
  };
}

function consumerSource({ destinations, group, from }: ConsumeSource): ConsumerSource {
  if (destinations.length === 0) throw new EventError("invalid-option", "destinations: at least one topic");
  if (from !== "new" && from !== "earliest") {
    throw new EventError("unsupported", `Kafka begins at "new" or "earliest" here, not at "${from}"`);
  }
  return { topics: [...new Set(destinations)], group, from: from === "new" ? "new" : "earliest" };
}
