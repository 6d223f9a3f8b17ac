import { EventError } from "../../../core/errors.ts";
import type { ConnectionEvents, KafkaTransactions, OutgoingRecord, ProduceFailure } from "../driver.ts";
import { clientConfig, type PlatformaticDriverOptions, producerConfig } from "./config.ts";
import { apiCodeOf, code, isNetwork, lostSend, refusal, toEventError, within } from "./errors.ts";
import { Link, limited } from "./link.ts";
import { TransactionBatches } from "./transaction-batches.ts";
import type { Vendor, VendorProducerInfo, VendorTransaction, VendorTransactions } from "./vendor.ts";

const closeMs = 1_000;
const maxBatchRecords = 1_000;
/** The client takes a first producer of an id for a zombie unless it says that it knows of none. */
const nobody: VendorProducerInfo = { producerId: -1n, producerEpoch: -1 };

/** Opens the producer of a transactional id: this fences the one before and undoes what it left open. */
export async function openTransactions(
  vendor: Vendor,
  options: PlatformaticDriverOptions,
  name: string,
  events: ConnectionEvents,
): Promise<KafkaTransactions> {
  const lookup = new vendor.Producer(clientConfig(options));
  const link = new Link(lookup, options, events);
  const timeoutMs = options.deliveryTimeoutMs ?? 60_000;
  const newClient = (): VendorTransactions => {
    const client = new vendor.Producer({
      ...producerConfig(options),
      transactionalId: name,
      // Sent as the time of a transaction: the brokers undo what takes longer, and whoever began it is fenced by that.
      timeout: Math.max(60_000, timeoutMs),
      // The brokers are still writing the end of the transaction before, which takes a moment.
      retryDelay: (_client: unknown, _operation: string, attempt: number) => Math.min(250, 5 * 2 ** attempt),
    });
    link.watch(client);
    return client;
  };
  const opened = new PlatformaticTransactions(new TransactionBatches(lookup), link, newClient, timeoutMs);
  try {
    await link.open();
    await opened.init(nobody);
  } catch (cause) {
    await opened.close();
    const denied = apiCodeOf(cause) === code.transactionalIdDenied;
    const what = `Kafka did not open the transactions "${name}"`;
    throw toEventError(cause, what, denied ? "denied" : "transport-failed", !denied);
  }
  return opened;
}

class PlatformaticTransactions implements KafkaTransactions {
  readonly #batches: TransactionBatches;
  readonly #link: Link;
  readonly #newClient: () => VendorTransactions;
  readonly #timeoutMs: number;
  #client: VendorTransactions | undefined;
  /** Begun at the client alone: to begin one is how it asks for its producer id. */
  #begun: VendorTransaction | undefined;
  #info: VendorProducerInfo = nobody;
  #batchRecords = maxBatchRecords;

  constructor(batches: TransactionBatches, link: Link, newClient: () => VendorTransactions, timeoutMs: number) {
    this.#batches = batches;
    this.#link = link;
    this.#newClient = newClient;
    this.#timeoutMs = timeoutMs;
  }

  /** Takes the id over from `info`. Who is not its last owner is fenced. */
  async init(info: VendorProducerInfo): Promise<void> {
    const client = this.#newClient();
    this.#client = client;
    this.#begun = await limited(client.beginTransaction(info), this.#timeoutMs);
    this.#info = { producerId: client.producerId!, producerEpoch: client.producerEpoch! };
  }

  async store(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
    committing: () => void,
  ): Promise<ProduceFailure | undefined> {
    for (;;) {
      let transaction: VendorTransaction;
      try {
        transaction = await this.#begin();
      } catch (cause) {
        this.#drop();
        return this.#failed(cause);
      }
      try {
        for await (const messages of this.#batches.of(records, this.#batchRecords)) {
          if (signal.aborted) throw EventError.from(signal.reason, "aborted");
          await limited(transaction.send({ messages }), this.#timeoutMs);
        }
        if (signal.aborted) throw EventError.from(signal.reason, "aborted");
      } catch (cause) {
        const failure = await this.#undo(transaction, cause);
        // One record may be too large, or only all of a batch together: one alone tells.
        const shared = Math.min(this.#batchRecords, records.length);
        if (failure.fatal || decisiveCode(cause) !== code.messageTooLarge || shared === 1) return failure;
        this.#batchRecords = shared >> 1;
        continue;
      }
      committing();
      try {
        await limited(transaction.commit(), this.#timeoutMs);
        return undefined;
      } catch (cause) {
        // Refused at the first try it is certainly not committed; what was lost on the way may be.
        const refused = apiCodeOf(cause) !== undefined && !isNetwork(cause);
        return over(cause, refused ? "failed" : "unknown");
      }
    }
  }

  async #begin(): Promise<VendorTransaction> {
    if (!this.#client) await this.init(this.#info);
    const begun = this.#begun ?? (await limited(this.#client!.beginTransaction({}), this.#timeoutMs));
    this.#begun = undefined;
    return begun;
  }

  /** Nothing was committed: whatever the answer, nothing is stored. */
  async #undo(transaction: VendorTransaction, cause: unknown): Promise<ProduceFailure> {
    const failure = this.#failed(cause);
    if (failure.fatal) return failure;
    try {
      // What is still on its way would come into the next transaction.
      if (failure.error.code === "timeout") throw cause;
      await limited(transaction.abort(), this.#timeoutMs);
    } catch (reason) {
      // The brokers know nothing of a transaction in which nothing was sent.
      if (apiCodeOf(reason) !== code.invalidTransactionState) {
        const ended = over(reason, "failed");
        return ended.error.code === "fenced" ? ended : { ...ended, error: failure.error };
      }
    }
    // The client counts what it failed to send: the brokers would miss it.
    this.#drop();
    return failure;
  }

  #failed(cause: unknown): ProduceFailure {
    const known = decisiveCode(cause);
    if (fenced.includes(known)) return over(cause, "failed");
    if (cause instanceof EventError) return { outcome: "failed", fatal: false, error: cause };
    const { error } = known === undefined ? lostSend(cause) : refusal(known, cause);
    return { outcome: "failed", fatal: false, error };
  }

  #drop(): void {
    void this.#client?.close(true).catch(() => undefined);
    this.#client = undefined;
    this.#begun = undefined;
    this.#batches.forget();
  }

  async close(): Promise<void> {
    this.#link.close();
    const closing = [this.#client?.close(true), this.#batches.close()];
    await limited(Promise.allSettled(closing), closeMs).catch(() => undefined);
  }
}

/** One send has answers from several partitions: what no repeat can mend decides. */
function decisiveCode(cause: unknown): number | undefined {
  for (const { apiCode, canRetry } of within(cause)) if (apiCode !== undefined && canRetry === false) return apiCode;
  return apiCodeOf(cause);
}

const fenced: readonly (number | undefined)[] = [
  code.producerFenced,
  code.invalidProducerEpoch,
  code.fencedInstance,
  code.invalidProducerIdMapping,
];

/** The producer is over: another one has its id, or it does not know what became of a transaction. */
function over(cause: unknown, outcome: "failed" | "unknown"): ProduceFailure {
  const lost = fenced.includes(decisiveCode(cause));
  const what = lost ? "Another producer has the transactional id" : "A transaction did not end";
  const error = toEventError(cause, what, lost ? "fenced" : "transport-failed", false);
  return { outcome, fatal: true, error };
}
