import { describe, expect, it } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { EventError } from "../../../core/errors.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { TransactionalPublisher, Transport } from "../../../core/transport.ts";
import { FakeDriver, turn } from "./fake-driver.ts";
import { FakeStoredDriver, type FakeTransactions } from "./fake-stored.ts";

const message = (body: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  destination: "t",
  headers: [],
  body,
  ...more,
});

async function opened(buffer?: { messages?: number; bytes?: number }): Promise<{
  transport: Transport;
  publisher: TransactionalPublisher;
  fake: FakeTransactions;
}> {
  const driver = new FakeStoredDriver();
  const transport = kafkaTransport({ driver, buffer });
  const publisher = await transport.openTransactions!("shop");
  return { transport, publisher, fake: driver.transactions };
}

const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "stored",
    ({ code, outcome: what, retryable }: EventError) => ({ code, outcome: what, retryable }),
  );

describe("a transactional publisher", () => {
  it("begins a call when the one before has ended, in their order", async () => {
    const { publisher, fake } = await opened();
    const first = publisher.publish([message("1"), message("2")]);
    const second = publisher.publish([message("3")]);
    const third = publisher.publish([message("4")]);
    await turn();
    expect(fake.calls.map(({ records }) => records.length)).toEqual([2]);
    fake.calls[0]!.end();
    await first;
    await turn();
    expect(fake.calls).toHaveLength(2);
    fake.calls[1]!.end({
      outcome: "failed",
      fatal: false,
      error: new EventError("timeout", "late", { retryable: true }),
    });
    expect(await outcome(second)).toEqual({ code: "timeout", outcome: "failed", retryable: true });
    await turn();
    fake.calls[2]!.end();
    await third;
  });

  it("stores nothing of a call that holds a message which cannot be sent", async () => {
    const { publisher, fake } = await opened();
    const bad = message("x", { headers: ["a\n", "b"] });
    expect(await outcome(publisher.publish([message("1"), bad]))).toMatchObject({
      code: "invalid-header",
      outcome: "failed",
    });
    await publisher.publish([]);
    expect(fake.calls).toHaveLength(0);
  });

  it("is over for good once it is fenced", async () => {
    const { publisher, fake } = await opened();
    const [first, waiting] = [outcome(publisher.publish([message("1")])), outcome(publisher.publish([message("2")]))];
    await turn();
    fake.calls[0]!.end({ outcome: "failed", fatal: true, error: new EventError("fenced", "another") });
    expect(await first).toEqual({ code: "fenced", outcome: "failed", retryable: false });
    expect(await waiting).toEqual({ code: "fenced", outcome: "failed", retryable: false });
    expect(await outcome(publisher.publish([message("3")]))).toMatchObject({ code: "fenced" });
    expect(fake.calls).toHaveLength(1);
    expect(fake.closed).toBe(true);
  });

  it("is over when it does not know what became of a commit: later calls are certainly not stored", async () => {
    const { publisher, fake } = await opened();
    const first = outcome(publisher.publish([message("1")]));
    await turn();
    fake.calls[0]!.committing();
    fake.calls[0]!.end({ outcome: "unknown", fatal: true, error: new EventError("transport-failed", "no answer") });
    expect(await first).toMatchObject({ code: "transport-failed", outcome: "unknown" });
    expect(await outcome(publisher.publish([message("2")]))).toMatchObject({
      code: "transport-failed",
      outcome: "failed",
    });
    expect(fake.calls).toHaveLength(1);
  });

  it("gives up at a signal what waits and what is not being committed, and lets nothing pass what still ends", async () => {
    const { publisher, fake } = await opened();
    const running = new AbortController();
    const first = outcome(publisher.publish([message("1")], { signal: running.signal }));
    const queued = new AbortController();
    const second = outcome(publisher.publish([message("2")], { signal: queued.signal }));
    const third = publisher.publish([message("3")]);
    await turn();
    queued.abort();
    expect(await second).toMatchObject({ code: "aborted", outcome: "failed" });
    running.abort();
    expect(await first).toMatchObject({ code: "aborted", outcome: "failed" });
    expect(fake.calls[0]!.signal.aborted).toBe(true);
    await turn();
    expect(fake.calls).toHaveLength(1); // it is still being undone
    fake.calls[0]!.end({ outcome: "failed", fatal: false, error: new EventError("aborted", "undone") });
    await turn();
    expect(fake.calls.map(({ records }) => new TextDecoder().decode(records[0]!.value!))).toEqual(["1", "3"]);
    fake.calls[1]!.end();
    await third;
    expect(await outcome(publisher.publish([message("4")], { signal: AbortSignal.abort() }))).toMatchObject({
      code: "aborted",
    });
  });

  it("awaits the answer to a commit, whatever the signal says", async () => {
    const { publisher, fake } = await opened();
    const control = new AbortController();
    const stored = outcome(publisher.publish([message("1")], { signal: control.signal }));
    await turn();
    fake.calls[0]!.committing();
    control.abort();
    await turn();
    expect(fake.calls[0]!.signal.aborted).toBe(false);
    fake.calls[0]!.end();
    expect(await stored).toBe("stored");
  });

  it("bounds what waits in messages and bytes", async () => {
    const { publisher, fake } = await opened({ messages: 2, bytes: 1_000 });
    const first = publisher.publish([message("1"), message("2")]);
    expect(await outcome(publisher.publish([message("3")]))).toEqual({
      code: "buffer-full",
      outcome: "failed",
      retryable: true,
    });
    await turn();
    fake.calls[0]!.end();
    await first;
    await turn();
    expect(await outcome(publisher.publish([message("x".repeat(1_001))]))).toEqual({
      code: "buffer-full",
      outcome: "failed",
      retryable: false,
    });
    const again = publisher.publish([message("4")]);
    await turn();
    fake.calls[1]!.end();
    await again;
  });

  it("rejects with closed what is left when the transport closes, and counts it", async () => {
    const { transport, publisher, fake } = await opened();
    const [first, second] = [
      outcome(publisher.publish([message("1"), message("2")])),
      outcome(publisher.publish([message("3")])),
    ];
    await turn();
    const closing = transport.close({ deadlineMs: 1_000 });
    expect(await first).toMatchObject({ code: "closed", outcome: "failed" });
    expect(await second).toMatchObject({ code: "closed", outcome: "failed" });
    fake.calls[0]!.end({ outcome: "failed", fatal: false, error: new EventError("aborted", "undone") });
    expect(await closing).toEqual({ unsent: 3, unsettled: 0 });
    expect(fake.closed).toBe(true);
    expect(await outcome(publisher.publish([message("4")]))).toMatchObject({ code: "closed" });
    expect(await outcome(transport.openTransactions!("shop"))).toMatchObject({ code: "closed" });
  });

  it("lets what is being committed end when it is closed", async () => {
    const { publisher, fake } = await opened();
    const stored = outcome(publisher.publish([message("1")]));
    await turn();
    fake.calls[0]!.committing();
    const closing = publisher.close();
    await turn();
    fake.calls[0]!.end();
    expect(await stored).toBe("stored");
    await closing;
    expect(fake.closed).toBe(true);
  });

  it("needs a name and a driver with transactions", async () => {
    const { transport } = await opened();
    expect(await outcome(transport.openTransactions!(""))).toMatchObject({ code: "invalid-option" });
    const without = kafkaTransport({ driver: new FakeDriver() });
    expect(await outcome(without.openTransactions!("shop"))).toMatchObject({ code: "unsupported" });
  });
});
