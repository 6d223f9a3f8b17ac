import { describe, expect, it } from "vitest";
import type { KafkaTransactions, OutgoingRecord } from "../../../adapters/kafka/driver.ts";
import { openTransactions } from "../../../adapters/kafka/platformatic/transactions.ts";
import type { Vendor, VendorMessage, VendorProducerInfo } from "../../../adapters/kafka/platformatic/vendor.ts";
import { layout } from "./fake-vendor.ts";

const events = { connected: () => undefined, disconnected: () => undefined, failed: () => undefined };
const options = { brokers: "127.0.0.1:1", deliveryTimeoutMs: 200 };
const never = new AbortController().signal;
const recordsOf = (count: number): OutgoingRecord[] =>
  Array.from({ length: count }, (_, n) => ({ topic: "t", key: `k${n}`, value: new Uint8Array(10), headers: [] }));

/** An error as the client makes it of a broker's answers. */
const answered = (...codes: readonly (readonly [apiCode: number, canRetry: boolean])[]): Error =>
  Object.assign(new Error("several failed"), {
    errors: codes.map(([apiCode, canRetry]) => Object.assign(new Error("refused"), { apiCode, canRetry })),
  });
const lost = (): Error => Object.assign(new Error("connection lost"), { code: "PLT_KFK_NETWORK" });

/** FAKE producers of @platformatic/kafka: no network. Each step takes the next of its answers, or succeeds. */
class FakeCluster {
  readonly steps: string[] = [];
  readonly inits: Partial<VendorProducerInfo>[] = [];
  readonly sends: (readonly VendorMessage[])[] = [];
  readonly answers: Record<string, (Error | "never")[]> = {};
  closed = 0;
  onSend = (): void => undefined;

  async step(name: string): Promise<void> {
    this.steps.push(name);
    const answer = this.answers[name]?.shift();
    if (answer === "never") await new Promise(() => undefined);
    if (answer) throw answer;
  }

  get vendor(): Vendor {
    const cluster = this;
    class Producer {
      producerId: bigint | undefined;
      producerEpoch: number | undefined;
      on(): void {}
      clearMetadata(): void {}
      async metadata(): Promise<unknown> {
        return layout("t", 2);
      }
      async close(): Promise<void> {
        cluster.closed++;
      }
      async beginTransaction(info: Partial<VendorProducerInfo>): Promise<unknown> {
        if (this.producerId === undefined) {
          cluster.inits.push(info);
          await cluster.step("init");
          this.producerId = 7n;
          this.producerEpoch = cluster.inits.length;
        } else cluster.steps.push("begin");
        return {
          send: ({ messages }: { messages: readonly VendorMessage[] }) => {
            cluster.sends.push(messages);
            cluster.onSend();
            return cluster.step("send");
          },
          commit: () => cluster.step("commit"),
          abort: () => cluster.step("abort"),
        };
      }
    }
    return { Producer } as unknown as Vendor;
  }
}

async function opened(): Promise<{ cluster: FakeCluster; transactions: KafkaTransactions }> {
  const cluster = new FakeCluster();
  return { cluster, transactions: await openTransactions(cluster.vendor, options, "shop", events) };
}

describe("transactions by @platformatic/kafka, over a fake client", () => {
  it("take the id over from whoever had it, and once only", async () => {
    const { cluster, transactions } = await opened();
    expect(cluster.inits).toEqual([{ producerId: -1n, producerEpoch: -1 }]);
    for (let n = 0; n < 2; n++) expect(await transactions.store(recordsOf(3), never, () => undefined)).toBeUndefined();
    expect(cluster.steps).toEqual(["init", "send", "commit", "begin", "send", "commit"]);
  });

  it("send no more than a batch of each partition at a time, in order", async () => {
    const { cluster, transactions } = await opened();
    await transactions.store(recordsOf(5_000), never, () => undefined);
    for (const messages of cluster.sends) {
      for (const partition of [0, 1]) {
        expect(messages.filter((each) => each.partition === partition).length).toBeLessThanOrEqual(1_000);
      }
    }
    expect(cluster.sends.flat()).toHaveLength(5_000);
  });

  it("go on after a failure as the same owner, whom a later one has fenced", async () => {
    const { cluster, transactions } = await opened();
    cluster.answers.send = [answered([87, false])];
    expect(await transactions.store(recordsOf(1), never, () => expect.unreachable())).toMatchObject({
      outcome: "failed",
      fatal: false,
    });
    expect(await transactions.store(recordsOf(1), never, () => undefined)).toBeUndefined();
    // A first owner's ids would fence whoever came meanwhile.
    expect(cluster.inits[1]).toEqual({ producerId: 7n, producerEpoch: 1 });
    cluster.answers.send = [answered([87, false])];
    cluster.answers.init = [answered([90, false])];
    await transactions.store(recordsOf(1), never, () => undefined);
    expect(await transactions.store(recordsOf(1), never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: true,
      error: { code: "fenced" },
    });
  });

  it("fail by what no repeat can mend, beside what one could", async () => {
    const { cluster, transactions } = await opened();
    cluster.answers.send = [answered([6, true], [10, false])];
    expect(await transactions.store(recordsOf(1), never, () => undefined)).toMatchObject({
      error: { code: "too-large", retryable: false },
    });
  });

  it("are tried in smaller batches when one was too large for its topic", async () => {
    const { cluster, transactions } = await opened();
    cluster.answers.send = [answered([10, false]), answered([10, false])];
    expect(await transactions.store(recordsOf(8), never, () => undefined)).toBeUndefined();
    expect(cluster.steps.filter((step) => step === "commit")).toHaveLength(1);
    expect(cluster.sends.slice(2).flat()).toHaveLength(8);
    for (const messages of cluster.sends.slice(2)) expect(messages.length).toBeLessThanOrEqual(4);
  });

  it("are undone where the brokers know nothing of them", async () => {
    const { cluster, transactions } = await opened();
    cluster.answers.send = [answered([29, false])];
    cluster.answers.abort = [answered([48, false])];
    expect(await transactions.store(recordsOf(1), never, () => undefined)).toMatchObject({
      fatal: false,
      error: { code: "denied" },
    });
  });

  it("end the producer when it is not told that they were undone, or something is still on its way", async () => {
    const abort = await opened();
    abort.cluster.answers.send = [answered([87, false])];
    abort.cluster.answers.abort = [lost()];
    expect(await abort.transactions.store(recordsOf(1), never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: true,
    });
    const late = await opened();
    late.cluster.answers.send = ["never"];
    expect(await late.transactions.store(recordsOf(1), never, () => undefined)).toMatchObject({
      outcome: "failed",
      fatal: true,
      error: { code: "timeout" },
    });
    expect(late.cluster.steps).not.toContain("abort");
  });

  it("are unknown when the answer to a commit was lost or is late, and failed when it is a refusal", async () => {
    const cases = [
      [lost(), { outcome: "unknown", fatal: true, error: { code: "transport-failed" } }],
      ["never", { outcome: "unknown", fatal: true, error: { code: "timeout" } }],
      [answered([90, false]), { outcome: "failed", fatal: true, error: { code: "fenced" } }],
    ] as const;
    for (const [answer, failure] of cases) {
      const { cluster, transactions } = await opened();
      cluster.answers.commit = [answer];
      let committing = 0;
      expect(await transactions.store(recordsOf(1), never, () => committing++)).toMatchObject(failure);
      expect(committing).toBe(1);
    }
  });

  it("send nothing more once they are given up", async () => {
    const { cluster, transactions } = await opened();
    const control = new AbortController();
    cluster.onSend = () => control.abort();
    const stored = transactions.store(recordsOf(5_000), control.signal, () => expect.unreachable());
    expect(await stored).toMatchObject({ outcome: "failed", fatal: false, error: { code: "aborted" } });
    expect(cluster.sends).toHaveLength(1);
    expect(cluster.steps.at(-1)).toBe("abort");
  });

  it("close every client", async () => {
    const { cluster, transactions } = await opened();
    await transactions.close(0);
    expect(cluster.closed).toBe(2);
  });
});
