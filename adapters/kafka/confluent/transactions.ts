import { EventError } from "../../../core/errors.ts";
import type {
  ConnectionEvents,
  KafkaTransactions,
  OutgoingRecord,
  ProduceFailure,
  ProduceReport,
  TransactionOptions,
} from "../driver.ts";
import { type ConfluentDriverOptions, producerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { code, codeOf, reportFailure, thrownFailure, toEventError } from "./errors.ts";
import { vendorHeaders, vendorKey, vendorValue } from "./records.ts";
import {
  called,
  type Vendor,
  type VendorCallback,
  type VendorError,
  type VendorProducer,
  type VendorReport,
} from "./vendor.ts";

/** How long one call may hold one of libuv's four threads; what takes longer is called again. */
const stepMs = 5_000;

/** Opens the producer of a transactional id: this fences the one before and undoes what it left open. */
export async function openTransactions(
  vendor: Vendor,
  options: ConfluentDriverOptions,
  { name, maxMessageBytes }: TransactionOptions,
  events: ConnectionEvents,
): Promise<KafkaTransactions> {
  const { global, topic } = producerConfig(options, maxMessageBytes);
  const timeoutMs = options.deliveryTimeoutMs ?? 60_000;
  const onReport = (error: VendorError | null, { opaque, partition, offset }: VendorReport): void => {
    const report = opaque as ProduceReport;
    if (error) report.failed(reportFailure(error));
    else report.stored(partition, offset);
  };
  const client = new vendor.Producer(
    {
      // The brokers undo what takes longer, and whoever began it is fenced by that.
      "transaction.timeout.ms": Math.max(60_000, timeoutMs),
      ...global,
      "transactional.id": name,
      dr_cb: onReport,
    },
    topic,
  );
  const connection = new Connection(client, options, events);
  await connection.open(() => client.poll());
  client.setPollInBackground(true);
  const opened = new ConfluentTransactions(client, connection, timeoutMs);
  try {
    await opened.init();
  } catch (cause) {
    await opened.close(0);
    const denied = codeOf(cause) === code.transactionalIdDenied;
    const what = `Kafka did not open the transactions "${name}"`;
    throw toEventError(cause, what, denied ? "denied" : "transport-failed", !denied);
  }
  return opened;
}

class ConfluentTransactions implements KafkaTransactions {
  readonly #client: VendorProducer;
  readonly #connection: Connection;
  readonly #timeoutMs: number;

  constructor(client: VendorProducer, connection: Connection, timeoutMs: number) {
    this.#client = client;
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  init(): Promise<void> {
    return this.#again((done) => this.#client.initTransactions(stepMs, done));
  }

  async store(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
    committing: () => void,
  ): Promise<ProduceFailure | undefined> {
    let failure = await this.#begin(records, signal);
    // What the brokers refused before, for good, left a gap in librdkafka's sequence of that partition. It notices by the
    // next transaction there, and mends it as that one is undone.
    if (failure && isGap(failure)) failure = await this.#begin(records, signal);
    if (failure) return failure;
    committing();
    try {
      await this.#again((done) => this.#client.commitTransaction(stepMs, done));
      return undefined;
    } catch (cause) {
      if ((cause as VendorError).isTxnRequiresAbort) return this.#undo({ ...reportFailure(cause), fatal: false });
      return over(cause, "unknown");
    }
  }

  /** Begins a transaction. Undefined once the brokers have all of it; else it is undone. */
  async #begin(records: readonly OutgoingRecord[], signal: AbortSignal): Promise<ProduceFailure | undefined> {
    try {
      await called((done) => this.#client.beginTransaction(done));
    } catch (cause) {
      return over(cause, "failed");
    }
    const failure = await this.#produce(records, signal);
    return failure && this.#undo(failure);
  }

  /** Undefined once the brokers have them all. */
  async #produce(records: readonly OutgoingRecord[], signal: AbortSignal): Promise<ProduceFailure | undefined> {
    let left = records.length;
    let settle: (failure: ProduceFailure | undefined) => void = () => undefined;
    const done = new Promise<ProduceFailure | undefined>((resolve) => {
      settle = resolve;
    });
    const report: ProduceReport = { stored: () => void (--left === 0 && settle(undefined)), failed: settle };
    const stop = (): void => {
      settle({ outcome: "failed", fatal: false, error: EventError.from(signal.reason, "aborted") });
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    for (const { topic, value, key, headers } of records) {
      try {
        this.#client.produce(topic, null, vendorValue(value), vendorKey(key), null, report, vendorHeaders(headers));
      } catch (cause) {
        settle(thrownFailure(cause));
        break;
      }
    }
    // Sends at once what would wait for company. It holds a thread while it waits: not until the end.
    void called((sent) => this.#client.flush(1_000, sent)).catch(() => undefined);
    const failure = await done;
    signal.removeEventListener("abort", stop);
    return failure;
  }

  /** Nothing was committed: whatever the answer, nothing is stored. */
  async #undo({ error }: ProduceFailure): Promise<ProduceFailure> {
    try {
      await this.#again((done) => this.#client.abortTransaction(stepMs, done));
      return { outcome: "failed", fatal: false, error };
    } catch (cause) {
      const ended = over(cause, "failed");
      return ended.error.code === "fenced" ? ended : { ...ended, error };
    }
  }

  /** Calls again what was only too slow, as long as a delivery may take. */
  async #again(call: (done: VendorCallback) => unknown): Promise<void> {
    for (const until = Date.now() + this.#timeoutMs; ; ) {
      try {
        await called(call);
        return;
      } catch (cause) {
        if (!(cause as VendorError).isRetriable || Date.now() > until) throw cause;
      }
    }
  }

  async close(timeoutMs: number): Promise<void> {
    this.#connection.close();
    await called((done) => this.#client.disconnect(timeoutMs, done)).catch(() => undefined);
  }
}

/** Records were not taken because of the sequence they came in. */
function isGap({ fatal, error }: ProduceFailure): boolean {
  const known = codeOf(error.cause);
  return !fatal && (known === code.purgedQueue || known === code.outOfOrderSequence);
}

const fenced: readonly (number | undefined)[] = [code.fenced, code.invalidProducerEpoch, code.producerFenced];

/** The producer is over: another one has its id, or it does not know what became of a commit. */
function over(cause: unknown, outcome: "failed" | "unknown"): ProduceFailure {
  const lost = fenced.includes(codeOf(cause));
  const what = lost ? "Another producer has the transactional id" : "A transaction did not end";
  const error = toEventError(cause, what, lost ? "fenced" : "transport-failed", false);
  return { outcome, fatal: true, error };
}
