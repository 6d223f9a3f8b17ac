import { describe, expect, it } from "vitest";
import { openAdmin } from "../../../adapters/kafka/confluent/admin.ts";
import { openTransactions } from "../../../adapters/kafka/confluent/transactions.ts";
import type { Vendor, VendorCallback, VendorError, VendorReport } from "../../../adapters/kafka/confluent/vendor.ts";
import type { KafkaTransactions, OutgoingRecord } from "../../../adapters/kafka/driver.ts";

const events = { connected: () => undefined, disconnected: () => undefined, failed: () => undefined };
const options = { brokers: "127.0.0.1:1", deliveryTimeoutMs: 300 };
const never = new AbortController().signal;
const records: readonly OutgoingRecord[] = ["1", "2"].map((text) => ({
  topic: "t",
  key: undefined,
  value: new TextEncoder().encode(text),
  headers: [],
}));

const failing = (code: number, more: Partial<VendorError> = {}): VendorError =>
  Object.assign(new Error(`code ${code}`), { code, ...more });

type Answer = VendorError | undefined;

/** A FAKE producer of librdkafka: no network. Each call takes the next of its answers, and without one succeeds. */
class FakeProducer {
  readonly calls: string[] = [];
  readonly answers: Record<string, Answer[]> = {};
  /** What is reported of each record; `reports`: of those of each transaction. */
  report: Answer;
  reports: Answer[] = [];
  readonly #onReport: (error: VendorError | null, report: VendorReport) => void;

  constructor(config: Record<string, unknown>) {
    this.#onReport = config.dr_cb as never;
  }
  #answer(call: string, done: VendorCallback): void {
    this.calls.push(call);
    const answer = this.answers[call]?.shift();
    setTimeout(() => done(answer, undefined), 1);
  }
  on(): void {}
  poll(): void {}
  setPollInBackground(): void {}
  connect(_: unknown, done: VendorCallback): void {
    done(null, undefined);
  }
  flush(_: number, done: VendorCallback): void {
    done(null, undefined);
  }
  disconnect(_: number, done: VendorCallback): void {
    this.#answer("disconnect", done);
  }
  initTransactions(_: number, done: VendorCallback): void {
    this.#answer("init", done);
  }
  beginTransaction(done: VendorCallback): void {
    if (this.reports.length > 0) this.report = this.reports.shift();
    this.#answer("begin", done);
  }
  commitTransaction(_: number, done: VendorCallback): void {
    this.#answer("commit", done);
  }
  abortTransaction(_: number, done: VendorCallback): void {
    this.#answer("abort", done);
  }
  produce(...args: unknown[]): void {
    const { report } = this;
    setTimeout(() => this.#onReport(report ?? null, { partition: 0, offset: 0, opaque: args[5] }), 1);
  }
}

async function opened(): Promise<{ producer: FakeProducer; transactions: KafkaTransactions }> {
  let producer!: FakeProducer;
  class Producer extends FakeProducer {
    constructor(config: Record<string, unknown>) {
      super(config);
      producer = this;
    }
  }
  const vendor = { Producer } as unknown as Vendor;
  const transactions = await openTransactions(vendor, options, { name: "shop", maxMessageBytes: 1_000 }, events);
  return { producer, transactions };
}

describe("transactions by librdkafka, over a fake client", () => {
  it("are committed once every record is reported as stored", async () => {
    const { producer, transactions } = await opened();
    let committing = 0;
    expect(await transactions.store(records, never, () => committing++)).toBeUndefined();
    expect(producer.calls).toEqual(["init", "begin", "commit"]);
    expect(committing).toBe(1);
  });

  it("are undone, and not committed, when a record is not stored", async () => {
    const { producer, transactions } = await opened();
    producer.report = failing(10);
    const failure = await transactions.store(records, never, () => expect.unreachable());
    expect(failure).toMatchObject({ outcome: "failed", fatal: false, error: { code: "too-large" } });
    expect(producer.calls).toEqual(["init", "begin", "abort"]);
  });

  it.each([-152, 45])("begin once more where refused records left a gap in the sequence: %i", async (code) => {
    const { producer, transactions } = await opened();
    producer.reports = [failing(code), undefined];
    let committing = 0;
    expect(await transactions.store(records, never, () => committing++)).toBeUndefined();
    expect([producer.calls, committing]).toEqual([["init", "begin", "abort", "begin", "commit"], 1]);
  });

  it("begin no third time, and not again once their client is over or they are given up", async () => {
    const twice = await opened();
    twice.producer.report = failing(-152);
    expect(await twice.transactions.store(records, never, () => undefined)).toMatchObject({ outcome: "failed" });
    expect(twice.producer.calls).toEqual(["init", "begin", "abort", "begin", "abort"]);
    const over = await opened();
    over.producer.report = failing(-152);
    over.producer.answers.abort = [failing(-150, { isFatal: true })];
    expect(await over.transactions.store(records, never, () => undefined)).toMatchObject({ fatal: true });
    expect(over.producer.calls).toEqual(["init", "begin", "abort"]);
    const given = await opened();
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await given.transactions.store(records, signal, () => undefined)).toMatchObject({
      error: { code: "aborted" },
    });
    expect(given.producer.calls).toEqual(["init", "begin", "abort"]);
  });

  it("ask again for the answer to a commit that was only slow", async () => {
    const { producer, transactions } = await opened();
    producer.answers.commit = [failing(-185, { isRetriable: true }), failing(-185, { isRetriable: true })];
    expect(await transactions.store(records, never, () => undefined)).toBeUndefined();
    expect(producer.calls).toEqual(["init", "begin", "commit", "commit", "commit"]);
  });

  it("are unknown, and the last of this producer, when a commit gets no answer in time", async () => {
    const { producer, transactions } = await opened();
    producer.answers.commit = Array.from({ length: 1_000 }, () => failing(-185, { isRetriable: true }));
    expect(await transactions.store(records, never, () => undefined)).toMatchObject({
      outcome: "unknown",
      fatal: true,
      error: { code: "transport-failed" },
    });
  });

  it("are undone when the commit is refused so, and that is certain", async () => {
    const { producer, transactions } = await opened();
    producer.answers.commit = [failing(-195, { isTxnRequiresAbort: true })];
    expect(await transactions.store(records, never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: false,
    });
    expect(producer.calls.at(-1)).toBe("abort");
  });

  it("tell a fence that is found while they are undone", async () => {
    const { producer, transactions } = await opened();
    producer.report = failing(-150);
    producer.answers.abort = [failing(-144, { isFatal: true })];
    expect(await transactions.store(records, never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: true,
      error: { code: "fenced", retryable: false },
    });
  });

  it("end the producer when it is not told that they were undone", async () => {
    const { producer, transactions } = await opened();
    producer.report = failing(10);
    producer.answers.abort = [failing(-195)];
    expect(await transactions.store(records, never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: true,
      error: { code: "too-large" },
    });
  });
});

describe("the settings of a topic by librdkafka, over a fake client", () => {
  const settings = async (...answers: (VendorError | undefined)[]): Promise<unknown> => {
    const asked: unknown[] = [];
    const wanted = answers.map(() => [{ topic: "t", partition: 0, offset: 0 }]);
    class KafkaConsumer {
      on(): void {}
      setDefaultConsumeTimeout(): void {}
      connect(_: unknown, done: VendorCallback): void {
        done(null, undefined);
      }
      disconnect(done: VendorCallback): void {
        done(null, undefined);
      }
    }
    const deleteRecords = (list: unknown, _: unknown, done: VendorCallback): void => {
      asked.push(list);
      done(null, [{ error: answers.shift() }]);
    };
    const vendor = { KafkaConsumer, AdminClient: { createFrom: () => ({ deleteRecords }) } } as unknown as Vendor;
    const admin = await openAdmin(vendor, options, events);
    try {
      return await admin.settings("t");
    } finally {
      // Below the first offset there is nothing to delete.
      expect(asked).toEqual(wanted);
      await admin.close();
    }
  };

  it("are found out by deleting nothing", async () => {
    const maxMessageBytes = undefined;
    expect(await settings(undefined)).toEqual({ compacts: false, deletes: true, maxMessageBytes });
    expect(await settings(failing(44))).toEqual({ compacts: true, deletes: false, maxMessageBytes });
  });

  it("are asked again while the topic is new and its leader does not know of it", async () => {
    const plain = { code: 6, message: "Broker: Not leader for partition" };
    expect(await settings(plain, failing(5), failing(44))).toMatchObject({ compacts: true });
  });

  it("are unknown to who may not delete, and whatever else fails is told", async () => {
    const maxMessageBytes = undefined;
    expect(await settings(failing(29))).toEqual({ compacts: undefined, deletes: undefined, maxMessageBytes });
    const plain = { code: 7, message: "Broker: Request timed out" };
    const failure = { code: "transport-failed", retryable: true, message: expect.stringContaining("timed out (7)") };
    await expect(settings(plain)).rejects.toMatchObject(failure);
  });
});
