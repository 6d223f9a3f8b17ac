import type { ConsumerEvents, PartitionOffset } from "../driver.ts";
import { rest } from "../rest.ts";
import { memberConfig, type PlatformaticDriverOptions } from "./config.ts";
import { isPassing, toEventError } from "./errors.ts";
import type { Holdings } from "./holdings.ts";
import { type Link, limited } from "./link.ts";
import { commitTo, type Membership, partitionsOf, rebalancing } from "./membership.ts";
import type { Vendor, VendorAssignment, VendorConsumer } from "./vendor.ts";

const retryMs = 500;
/** How long a rebalance under way may delay a leave. */
const joinMs = 5_000;
const leaveMs = 2_000;

/**
 * A member that assigns partitions among themselves. The client asks for its metadata right before it joins anew, while
 * it still owns what it had: that is where work is drained and committed.
 */
export class ClassicMembership implements Membership {
  readonly #client: VendorConsumer;
  readonly #topics: readonly string[];
  readonly #holdings: Holdings;
  readonly #events: ConsumerEvents;
  readonly #cooperative: boolean;
  /** A join request is on its way: a commit would belong to no generation. */
  #joining = true;
  /** The group rebalances. Otherwise this member joins anew because the group knows it no longer. */
  #rebalance = false;
  #retrying = false;
  #closed = false;
  #joined: () => void = () => undefined;

  constructor(
    vendor: Vendor,
    options: PlatformaticDriverOptions,
    source: { readonly group: string; readonly topics: readonly string[] },
    holdings: Holdings,
    link: Link,
    events: ConsumerEvents,
  ) {
    this.#client = new vendor.Consumer({
      ...memberConfig(options, source.group),
      protocolsMetadata: () => this.#beforeJoin(),
    });
    link.watch(this.#client);
    this.#topics = source.topics;
    this.#holdings = holdings;
    this.#events = events;
    this.#cooperative = (options.assignmentStrategy ?? "cooperative-sticky") === "cooperative-sticky";
    this.#client.on("consumer:group:rebalance", () => {
      this.#rebalance = true;
    });
    this.#client.on("consumer:group:join", (joined: { assignments: readonly VendorAssignment[] | null }) =>
      this.#afterJoin(joined.assignments),
    );
    // A join that fails later on is told here alone, and the client tries no more.
    this.#client.on("error", (error: unknown) => void this.#join(error));
  }

  start(): void {
    this.#client.topics.trackAll(...this.#topics);
    void this.#join();
  }

  check(): void {}

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#joining ? Promise.reject(rebalancing()) : commitTo(this.#client, offsets);
  }

  async close(): Promise<void> {
    // The client cannot tell the broker that it leaves while it waits for the answer to a join.
    if (this.#joining) {
      const joined = new Promise<void>((resolve) => {
        this.#joined = resolve;
      });
      await limited(joined, joinMs).catch(() => undefined);
    }
    await this.#holdings.revoke(this.#holdings.without([]), false);
    this.#closed = true;
    await limited(this.#client.close(true), leaveMs).catch(() => undefined);
  }

  async #join(failure?: unknown): Promise<void> {
    if (this.#retrying || this.#closed) return;
    this.#retrying = true;
    if (failure !== undefined) {
      this.#tell(failure);
      await rest(retryMs);
    }
    while (!this.#closed) {
      try {
        await this.#client.joinGroup({});
        break;
      } catch (cause) {
        if (this.#closed) break;
        this.#tell(cause);
        await rest(retryMs);
      }
    }
    this.#retrying = false;
  }

  async #beforeJoin(): Promise<Uint8Array> {
    const lost = this.#holdings.size > 0 && !this.#rebalance;
    this.#rebalance = false;
    if (lost) this.#joining = true;
    const kept = this.#cooperative ? partitionsOf(this.#client.assignments) : [];
    const gone = this.#holdings.without(kept);
    if (gone.length > 0) await this.#holdings.revoke(gone, lost);
    this.#joining = true;
    return this.#cooperative ? this.#generation(kept.length > 0) : globalThis.Buffer.alloc(0);
  }

  // Cooperative members say in which generation they came by what they own, so that an old claim does not win.
  #generation(owns: boolean): Uint8Array {
    const bytes = globalThis.Buffer.alloc(4);
    bytes.writeInt32BE(owns && this.#client.memberId ? this.#client.generationId : -1);
    return bytes;
  }

  #afterJoin(assignments: readonly VendorAssignment[] | null): void {
    this.#rebalance = false;
    this.#joining = false;
    this.#joined();
    const owned = partitionsOf(assignments);
    const gone = this.#holdings.without(owned);
    if (gone.length > 0) void this.#holdings.revoke(gone, true);
    void this.#holdings.assign(owned, this.#client);
  }

  #tell(cause: unknown): void {
    if (!isPassing(cause)) this.#events.failed(toEventError(cause, "Kafka did not take this member"));
  }
}
