import type {
  ConsumerEvents,
  ConsumerSource,
  IncomingRecord,
  KafkaConsumer,
  PartitionOffset,
  TopicPartition,
} from "../driver.ts";
import { Commits } from "./commits.ts";
import { type ConfluentDriverOptions, consumerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { code, toEventError } from "./errors.ts";
import { Membership } from "./membership.ts";
import { StartPositions } from "./positions.ts";
import { ConfluentRecord } from "./records.ts";
import {
  called,
  type Vendor,
  type VendorConsumer,
  type VendorError,
  type VendorMessage,
  type VendorPartition,
} from "./vendor.ts";

// A poll holds one of libuv's four threads for as long as it waits.
const pollMs = 100;

const nothing = (): void => undefined;

/** Opens librdkafka's raw consumer. The KafkaJS layer above it commits, pauses and batches in ways of its own. */
export async function openConsumer(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  source: ConsumerSource,
  events: ConsumerEvents,
): Promise<KafkaConsumer> {
  const commits = new Commits();
  // Without a group nothing joins and nothing commits: librdkafka wants a name all the same, and keeps it to itself.
  const { global, topic } = consumerConfig(options, source.group ?? "waybill-ungrouped");
  const client: VendorConsumer = new vendor.KafkaConsumer(
    {
      ...global,
      rebalance_cb: (error: VendorError, list: readonly VendorPartition[]) => membership.onRebalance(error, list),
      offset_commit_cb: commits.onAnswer,
    },
    topic,
  );
  const connection = new Connection(client, options, events);
  client.setDefaultConsumeTimeout(pollMs);
  let probes: Promise<unknown> = Promise.resolve();
  await connection.open(() => {
    probes = Promise.allSettled([probes, called((done) => client.consume(1, done))]);
  });
  // A probe that was still waiting when partitions are assigned would take the first record, and nobody would get it.
  await probes;
  const starts = new StartPositions(client, source);
  const membership = new Membership(client, starts, connection);
  client.setDefaultIsTimeoutOnlyForFirstMessage(true);
  try {
    const partitions = await starts.open(connection);
    if (source.group === undefined) await membership.takeAll(partitions);
    else client.subscribe(source.topics);
  } catch (error) {
    connection.close();
    await called((done) => client.disconnect(done)).catch(() => undefined);
    throw toEventError(error, "Kafka did not accept a subscription");
  }
  return new ConfluentConsumer(client, connection, commits, membership, source.group !== undefined);
}

class ConfluentConsumer implements KafkaConsumer {
  readonly #client: VendorConsumer;
  readonly #connection: Connection;
  readonly #commits: Commits;
  readonly #membership: Membership;
  readonly #grouped: boolean;

  constructor(
    client: VendorConsumer,
    connection: Connection,
    commits: Commits,
    membership: Membership,
    grouped: boolean,
  ) {
    this.#client = client;
    this.#connection = connection;
    this.#commits = commits;
    this.#membership = membership;
    this.#grouped = grouped;
  }

  poll(max: number): Promise<readonly IncomingRecord[]> {
    const polling = this.#poll(max);
    // When it ends, not with what: this outlives the consumer, and an error's stack would keep who polled.
    this.#membership.polling = polling.then(nothing, nothing);
    return polling;
  }

  async #poll(max: number): Promise<readonly IncomingRecord[]> {
    try {
      const batch = await called<readonly VendorMessage[]>((done) => this.#client.consume(max, done));
      return batch.map((message) => new ConfluentRecord(message));
    } catch (cause) {
      const missing = (cause as VendorError).code === code.unknownTopic;
      throw toEventError(cause, "Kafka did not deliver", missing ? "invalid-destination" : "transport-failed");
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#client.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#client.resume(partitions);
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    if (this.#grouped) await this.#commits.commit(this.#client, offsets);
  }

  watermarks({ topic, partition }: TopicPartition): { low: number; high: number } | undefined {
    try {
      const { lowOffset, highOffset } = this.#client.getWatermarkOffsets(topic, partition);
      return highOffset < 0 ? undefined : { low: Math.max(0, lowOffset), high: highOffset };
    } catch {
      return undefined; // nothing was fetched yet
    }
  }

  async close(): Promise<void> {
    if (this.#grouped) await this.#membership.leave();
    this.#connection.close();
    await called((done) => this.#client.disconnect(done)).catch((cause: unknown) => {
      throw toEventError(cause, "Kafka's consumer did not close");
    });
    this.#commits.close();
  }
}
