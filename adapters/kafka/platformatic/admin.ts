import type { ConnectionEvents, KafkaAdmin, NewTopic, TopicDescription, TopicSettings } from "../driver.ts";
import { clientConfig, type PlatformaticDriverOptions } from "./config.ts";
import { apiCodeOf, code, toEventError } from "./errors.ts";
import { Link, limited } from "./link.ts";
import { denials, layoutIfAny, refusal } from "./topic-lookup.ts";
import { layoutOf } from "./topics.ts";
import type { Vendor, VendorAdmin } from "./vendor.ts";

const requestMs = 10_000;
const topicMs = 10_000;
const closeMs = 1_000;
const topicResource = 2;

/** Opens the client's admin. */
export async function openAdmin(
  vendor: Vendor,
  options: PlatformaticDriverOptions,
  events: ConnectionEvents,
): Promise<KafkaAdmin> {
  const client = new vendor.Admin(clientConfig(options));
  const link = new Link(client, options, events);
  try {
    await link.open();
  } catch (error) {
    void client.close().catch(() => undefined);
    throw error;
  }
  return new PlatformaticAdmin(client, link);
}

class PlatformaticAdmin implements KafkaAdmin {
  readonly #client: VendorAdmin;
  readonly #link: Link;

  constructor(client: VendorAdmin, link: Link) {
    this.#client = client;
    this.#link = link;
  }

  async describe(topic: string, create: boolean): Promise<TopicDescription | undefined> {
    if (create) await layoutOf(this.#client, topic, topicMs);
    try {
      const found = await layoutIfAny(this.#client, topic);
      if (!found) return undefined;
      const { partitions } = found;
      return {
        partitions: partitions.length,
        replicas: Math.max(1, ...partitions.map(({ replicas }) => replicas?.length ?? 1)),
        led: partitions.length > 0 && partitions.every(({ leader }) => leader >= 0),
      };
    } catch (cause) {
      throw refusal(cause, `Kafka did not describe the topic "${topic}"`);
    }
  }

  async settings(topic: string): Promise<TopicSettings> {
    const configurationKeys = ["cleanup.policy", "max.message.bytes"];
    const resources = [{ resourceType: topicResource, resourceName: topic, configurationKeys }];
    const values = new Map<string, string>();
    try {
      for (const { configs } of await limited(this.#client.describeConfigs({ resources }), requestMs)) {
        for (const { name, value } of configs) if (value) values.set(name, value);
      }
    } catch (cause) {
      if (!denials.includes(apiCodeOf(cause))) {
        throw toEventError(cause, `Kafka did not tell the settings of the topic "${topic}"`);
      }
    }
    const policy = values.get("cleanup.policy")?.split(",");
    const bytes = values.get("max.message.bytes");
    return {
      compacts: policy?.includes("compact"),
      deletes: policy?.includes("delete"),
      maxMessageBytes: bytes === undefined ? undefined : Number(bytes),
    };
  }

  async create({ topic, partitions, replicas, config }: NewTopic): Promise<boolean> {
    const configs = Object.entries(config).map(([name, value]) => ({ name, value }));
    try {
      await limited(this.#client.createTopics({ topics: [{ topic, partitions, replicas }], configs }), requestMs);
      return true;
    } catch (cause) {
      if (apiCodeOf(cause) === code.topicExists) return false;
      throw refusal(cause, `Kafka did not create the topic "${topic}"`);
    }
  }

  async close(): Promise<void> {
    this.#link.close();
    await limited(this.#client.close(), closeMs).catch(() => undefined);
  }
}
