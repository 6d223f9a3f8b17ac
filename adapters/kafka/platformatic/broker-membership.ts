import type { ConsumerEvents, PartitionOffset } from "../driver.ts";
import { rest } from "../rest.ts";
import { memberConfig, type PlatformaticDriverOptions } from "./config.ts";
import { apiCodeOf, code, isPassing, toEventError } from "./errors.ts";
import type { Holdings } from "./holdings.ts";
import { type Link, limited } from "./link.ts";
import { commitTo, type Membership, partitionsOf, rebalancing } from "./membership.ts";
import type { Vendor, VendorAssignment, VendorConsumer } from "./vendor.ts";

const retryMs = 500;
const leaveMs = 2_000;

/**
 * A member that the broker assigns partitions to (KIP-848). The client gives a partition back before anyone is asked:
 * what was started can only be fenced.
 */
export class BrokerMembership implements Membership {
  readonly #vendor: Vendor;
  readonly #options: PlatformaticDriverOptions;
  readonly #source: { readonly group: string; readonly topics: readonly string[] };
  readonly #holdings: Holdings;
  readonly #link: Link;
  readonly #events: ConsumerEvents;
  #client: VendorConsumer | undefined;
  #seen: readonly VendorAssignment[] | null = null;
  #closed = false;

  constructor(
    vendor: Vendor,
    options: PlatformaticDriverOptions,
    source: { readonly group: string; readonly topics: readonly string[] },
    holdings: Holdings,
    link: Link,
    events: ConsumerEvents,
  ) {
    this.#vendor = vendor;
    this.#options = options;
    this.#source = source;
    this.#holdings = holdings;
    this.#link = link;
    this.#events = events;
  }

  start(): void {
    void this.#join();
  }

  check(): void {
    const assignments = this.#client?.assignments ?? null;
    if (!this.#client || assignments === this.#seen) return;
    this.#seen = assignments;
    const owned = partitionsOf(assignments);
    const gone = this.#holdings.without(owned);
    if (gone.length > 0) void this.#holdings.revoke(gone, true);
    if (assignments) void this.#holdings.assign(owned, this.#client);
  }

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#client ? commitTo(this.#client, offsets) : Promise.reject(rebalancing());
  }

  async close(): Promise<void> {
    await this.#holdings.revoke(this.#holdings.without([]), false);
    this.#closed = true;
    if (this.#client) await limited(this.#client.close(true), leaveMs).catch(() => undefined);
  }

  async #join(): Promise<void> {
    while (!this.#closed) {
      const client = new this.#vendor.Consumer(memberConfig(this.#options, this.#source.group));
      this.#link.watch(client);
      try {
        const topics = [...this.#source.topics];
        // Only `consume` joins. Its stream is not wanted: the topics stay tracked without it.
        client.topics.trackAll(...topics);
        const stream = await client.consume({ topics });
        stream.on("error", () => undefined);
        void stream.close().catch(() => undefined);
        if (this.#closed) {
          void client.close(true).catch(() => undefined);
          return;
        }
        this.#client = client;
        client.on("consumer:heartbeat:end", () => setTimeout(() => this.check()));
        client.on("consumer:heartbeat:error", ({ error }: { error: unknown }) => this.#refused(client, error));
        return this.check();
      } catch (cause) {
        void client.close(true).catch(() => undefined);
        if (this.#closed) return;
        this.#tell(cause);
        await rest(retryMs);
      }
    }
  }

  /** A member that the broker has forgotten would go on asking for ever: a new client joins in its place. */
  #refused(client: VendorConsumer, error: unknown): void {
    if (client !== this.#client || this.#closed || apiCodeOf(error) !== code.unknownMember) return;
    this.#client = undefined;
    this.#seen = null;
    void this.#holdings.revoke(this.#holdings.without([]), true);
    void client.close(true).catch(() => undefined);
    void this.#join();
  }

  #tell(cause: unknown): void {
    if (!isPassing(cause)) this.#events.failed(toEventError(cause, "Kafka did not take this member"));
  }
}
