import type { ConnectionEvents, KafkaAdmin, NewTopic, TopicDescription, TopicSettings } from "../driver.ts";
import { askLeader } from "../leader-moves.ts";
import type { ConfluentDriverOptions } from "./config.ts";
import { code, codeOf, toEventError } from "./errors.ts";
import { partitionsOf } from "./positions.ts";
import { denials, refusal, topicIfAny } from "./topic-lookup.ts";
import { openUngrouped, type Ungrouped } from "./ungrouped.ts";
import { called, type Vendor, type VendorAdmin, type VendorError } from "./vendor.ts";

const requestMs = 10_000;

/** Opens librdkafka's admin over the connections of a consumer. */
export async function openAdmin(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  events: ConnectionEvents,
): Promise<KafkaAdmin> {
  const ungrouped = await openUngrouped(vendor, options, {}, events);
  return new ConfluentAdmin(ungrouped, vendor.AdminClient.createFrom(ungrouped.client));
}

class ConfluentAdmin implements KafkaAdmin {
  readonly #ungrouped: Ungrouped;
  readonly #admin: VendorAdmin;

  constructor(ungrouped: Ungrouped, admin: VendorAdmin) {
    this.#ungrouped = ungrouped;
    this.#admin = admin;
  }

  async describe(topic: string, create: boolean): Promise<TopicDescription | undefined> {
    if (create) await partitionsOf(this.#ungrouped.connection, topic);
    try {
      const found = await topicIfAny(this.#admin, topic);
      if (!found) return undefined;
      const partitions = found.partitions ?? [];
      return {
        partitions: partitions.length,
        replicas: Math.max(1, ...partitions.map(({ replicas }) => replicas.length)),
        led: partitions.length > 0 && partitions.every(({ leader }) => leader && leader.id >= 0),
      };
    } catch (cause) {
      throw refusal(cause, `Kafka did not describe the topic "${topic}"`);
    }
  }

  /**
   * The client cannot ask for settings. A request to delete the records below offset 0, of which there are none, is
   * refused by brokers for a topic that is compacted only. A topic that is both compacted and deleted from is not told
   * from one that is deleted from; who may not delete learns nothing.
   */
  async settings(topic: string): Promise<TopicSettings> {
    const below = [{ topic, partition: 0, offset: 0 }];
    const options = { timeout: requestMs, operationTimeout: requestMs };
    const ask = async (): Promise<void> => {
      const [answer] = await called<readonly { error?: VendorError }[]>((done) =>
        this.#admin.deleteRecords(below, options, done),
      );
      if (answer?.error) throw answer.error;
    };
    const refused: unknown = await askLeader(ask, codeOf).catch((cause: unknown) => cause);
    const compacted = codeOf(refused) === code.policyViolation;
    const told = compacted || !refused;
    if (!told && !denials.includes(codeOf(refused))) {
      throw toEventError(refused, `Kafka did not tell the settings of the topic "${topic}"`);
    }
    return {
      compacts: told ? compacted : undefined,
      deletes: told ? !compacted : undefined,
      maxMessageBytes: undefined,
    };
  }

  async create({ topic, partitions, replicas, config }: NewTopic): Promise<boolean> {
    const wanted = { topic, num_partitions: partitions, replication_factor: replicas, config };
    try {
      await called((done) => this.#admin.createTopic(wanted, requestMs, done));
      return true;
    } catch (cause) {
      if (codeOf(cause) === code.topicExists) return false;
      throw refusal(cause, `Kafka did not create the topic "${topic}"`);
    }
  }

  close(): Promise<void> {
    return this.#ungrouped.close();
  }
}
