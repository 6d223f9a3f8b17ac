import type {
  ConsumerEvents,
  ConsumerSource,
  IncomingRecord,
  KafkaConsumer,
  PartitionOffset,
  TopicPartition,
} from "../driver.ts";
import { BrokerMembership } from "./broker-membership.ts";
import { ClassicMembership } from "./classic-membership.ts";
import { type PlatformaticDriverOptions, readerConfig } from "./config.ts";
import { toEventError } from "./errors.ts";
import { Fetcher } from "./fetcher.ts";
import { Holdings } from "./holdings.ts";
import { Link, limited } from "./link.ts";
import type { Membership } from "./membership.ts";
import { StartPositions } from "./positions.ts";
import type { Vendor, VendorConsumer } from "./vendor.ts";

const pollMs = 100;
const closeMs = 1_000;

/**
 * Opens a consumer of two clients: one reads, the other is the member. A fetch that waits at the broker would hold up
 * heartbeats and commits behind it.
 */
export async function openConsumer(
  vendor: Vendor,
  options: PlatformaticDriverOptions,
  source: ConsumerSource,
  events: ConsumerEvents,
): Promise<KafkaConsumer> {
  const reader = new vendor.Consumer(readerConfig(options));
  const link = new Link(reader, options, events);
  try {
    await link.open();
    const starts = new StartPositions(reader, source);
    const partitions = await starts.open();
    reader.topics.trackAll(...source.topics);
    const fetcher = new Fetcher(reader, (error) => events.failed(error));
    let membership: Membership | undefined;
    if (source.group === undefined) {
      const started = await starts.of(partitions);
      events.assigned(started.map((each) => ({ ...each, uncommitted: false })));
      fetcher.add(started.map(({ topic, partition, start }) => ({ topic, partition, offset: start })));
    } else {
      const Kind = options.groupProtocol === "consumer" ? BrokerMembership : ClassicMembership;
      const place = { group: source.group, topics: source.topics };
      membership = new Kind(vendor, options, place, new Holdings(starts, fetcher, events), link, events);
      membership.start();
    }
    return new PlatformaticConsumer(reader, link, fetcher, membership);
  } catch (error) {
    link.close();
    void reader.close(true).catch(() => undefined);
    throw toEventError(error, "Kafka did not accept a subscription");
  }
}

class PlatformaticConsumer implements KafkaConsumer {
  readonly #reader: VendorConsumer;
  readonly #link: Link;
  readonly #fetcher: Fetcher;
  readonly #membership: Membership | undefined;

  constructor(reader: VendorConsumer, link: Link, fetcher: Fetcher, membership: Membership | undefined) {
    this.#reader = reader;
    this.#link = link;
    this.#fetcher = fetcher;
    this.#membership = membership;
  }

  async poll(max: number): Promise<readonly IncomingRecord[]> {
    this.#membership?.check();
    // What lies ready must not keep the event loop from everything else.
    if (this.#fetcher.ready) await new Promise((resolve) => setImmediate(resolve));
    else await this.#fetcher.wait(pollMs);
    // Taken at the very end: what is taken back from this member meanwhile is not handed out any more.
    return this.#fetcher.take(max);
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#fetcher.pause(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#fetcher.pause(partitions, false);
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#membership?.commit(offsets);
  }

  watermarks(partition: TopicPartition): { readonly low: number; readonly high: number } | undefined {
    return this.#fetcher.watermarks(partition);
  }

  async close(): Promise<void> {
    await this.#membership?.close();
    this.#link.close();
    this.#fetcher.close();
    await limited(this.#reader.close(true), closeMs).catch(() => undefined);
  }
}
