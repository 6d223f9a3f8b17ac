import type { ConnectionEvents, IncomingRecord, KafkaReader, PartitionRange } from "../driver.ts";
import { type PlatformaticDriverOptions, readerConfig } from "./config.ts";
import { apiCodeOf } from "./errors.ts";
import { Fetcher } from "./fetcher.ts";
import { Link, limited } from "./link.ts";
import { earliest, idOf, latest, listedOffsets } from "./positions.ts";
import { denials, layoutIfAny, missing, refusal } from "./topic-lookup.ts";
import type { Vendor, VendorConsumer } from "./vendor.ts";

const pollMs = 100;
const closeMs = 1_000;

/** Opens a client that fetches one partition after the other. */
export async function openReader(
  vendor: Vendor,
  options: PlatformaticDriverOptions,
  topic: string,
  events: ConnectionEvents,
): Promise<KafkaReader> {
  // A fetch that waits at the broker would hold up the next partition.
  const client = new vendor.Consumer({ ...readerConfig(options), maxWaitTime: 20 });
  const link = new Link(client, options, events);
  try {
    await link.open();
  } catch (error) {
    void client.close(true).catch(() => undefined);
    throw error;
  }
  return new PlatformaticReader(client, link, topic, events);
}

class PlatformaticReader implements KafkaReader {
  readonly #client: VendorConsumer;
  readonly #link: Link;
  readonly #topic: string;
  readonly #fetcher: Fetcher;
  #partition: number | undefined;

  constructor(client: VendorConsumer, link: Link, topic: string, events: ConnectionEvents) {
    this.#client = client;
    this.#link = link;
    this.#topic = topic;
    // A fetch that is denied is repeated without end: who reads has to be told.
    this.#fetcher = new Fetcher(client, (error) =>
      events.failed(denials.includes(apiCodeOf(error)) ? refusal(error.cause, "Kafka did not deliver") : error),
    );
  }

  async ranges(): Promise<readonly PartitionRange[]> {
    const topic = this.#topic;
    try {
      const found = await layoutIfAny(this.#client, topic);
      if (!found) throw missing(topic);
      const partitions = found.partitions.map((_, partition) => ({ topic, partition }));
      // By the isolation of this client, which reads what is committed: the end is the last stable offset.
      const ends = await listedOffsets(this.#client, partitions, latest);
      const begins = await listedOffsets(this.#client, partitions, earliest);
      return partitions.map((each) => {
        const end = ends.get(idOf(each)) ?? 0;
        return { partition: each.partition, low: begins.get(idOf(each)) ?? end, end };
      });
    } catch (cause) {
      throw refusal(cause, "Kafka did not tell where a topic ends");
    }
  }

  start(partition: number, offset: number): void {
    if (this.#partition !== undefined) this.#fetcher.remove([{ topic: this.#topic, partition: this.#partition }]);
    this.#partition = partition;
    this.#fetcher.add([{ topic: this.#topic, partition, offset }]);
  }

  async poll(max: number): Promise<readonly IncomingRecord[]> {
    // What lies ready must not keep the event loop from everything else.
    if (this.#fetcher.ready) await new Promise((resolve) => setImmediate(resolve));
    else await this.#fetcher.wait(pollMs);
    return this.#fetcher.take(max);
  }

  reached(): number | undefined {
    return this.#fetcher.reached({ topic: this.#topic, partition: this.#partition ?? -1 });
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#fetcher.close();
    await limited(this.#client.close(true), closeMs).catch(() => undefined);
  }
}
