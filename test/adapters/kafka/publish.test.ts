import { describe, expect, it } from "vitest";
import { fakeClock } from "waybill/testing";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import type { KafkaTransportOptions } from "../../../adapters/kafka/options.ts";
import { EventError } from "../../../core/errors.ts";
import type { OutgoingMessage } from "../../../core/message.ts";
import type { Transport, TransportStatus } from "../../../core/transport.ts";
import { FakeDriver, type FakeProducer, fatal, turn } from "./fake-driver.ts";

const message = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  destination: "t",
  headers: [],
  body: "x",
  ...more,
});

async function opened(
  options: Partial<KafkaTransportOptions> = {},
): Promise<{ transport: Transport; driver: FakeDriver; producer: FakeProducer }> {
  const driver = new FakeDriver();
  const transport = kafkaTransport({ driver, ...options });
  await transport.publish([]);
  const first = transport.publish([message()]);
  await turn();
  const producer = driver.producers[0]!;
  producer.sent[0]!.report.stored(0, 0);
  await first;
  producer.sent.length = 0;
  return { transport, driver, producer };
}

describe("publish on Kafka, over a fake driver", () => {
  it("tells the outcome of each message in the order of the call", async () => {
    const { transport, producer } = await opened();
    const publishing = transport.publish([message(), message({ headers: ["", "x"] }), message()]);
    producer.sent[1]!.report.failed({ outcome: "unknown", fatal: false, error: new EventError("timeout", "late") });
    producer.sent[0]!.report.stored(2, 7);
    expect(await publishing).toMatchObject([
      { stored: true, at: { partition: 2, offset: 7 } },
      { stored: false, outcome: "failed", retrySafe: true, error: { code: "invalid-header" } },
      { stored: false, outcome: "unknown", retrySafe: false, error: { code: "timeout" } },
    ]);
  });

  it.each([
    ["an empty name", ["", "x"]],
    ["a line feed in a name", ["a\nb", "x"]],
    ["a NUL in a value", ["a", "x\0"]],
    ["null as a value", ["a", null as unknown as string]],
    ["a name without a value", ["a"]],
  ])("refuses %s before the client sees it", async (_, headers) => {
    const { transport, producer } = await opened();
    const [outcome] = await transport.publish([message({ headers })]);
    expect(outcome).toMatchObject({ stored: false, outcome: "failed", error: { code: "invalid-header" } });
    expect(producer.sent).toHaveLength(0);
  });

  it("refuses what is too large with size and bound, and takes what just fits", async () => {
    const { transport, producer } = await opened({ maxMessageBytes: 100 });
    const publishing = transport.publish([
      message({ body: "ж".repeat(51) }),
      message({ body: "ж".repeat(48), key: "abcd" }),
    ]);
    producer.sent[0]!.report.stored(0, 1);
    const [refused, stored] = await publishing;
    expect(refused).toMatchObject({ stored: false, error: { code: "too-large" } });
    expect((refused as { error: Error }).error.message).toMatch(/102 bytes.*100/);
    expect(stored).toMatchObject({ stored: true });
  });

  it("tells tombstones from empty values", async () => {
    const { transport, producer } = await opened();
    void transport.publish([message({ body: null }), message({ body: "" }), message({ body: new Uint8Array(0) })]);
    expect(producer.sent.map((each) => each.record.value)).toEqual([null, new Uint8Array(0), new Uint8Array(0)]);
  });

  it("reports unknown for what is on its way when the signal aborts, and failed for what the client never got", async () => {
    const { transport, driver } = await opened();
    const stop = new AbortController();
    const publishing = transport.publish([message()], { signal: stop.signal });
    stop.abort(new Error("enough"));
    expect(await publishing).toMatchObject([{ outcome: "unknown", retrySafe: false, error: { code: "aborted" } }]);

    const cold = kafkaTransport({ driver });
    let open = (): void => undefined;
    driver.gate = new Promise((resolve) => {
      open = resolve;
    });
    const again = new AbortController();
    const waiting = cold.publish([message()], { signal: again.signal });
    again.abort();
    expect(await waiting).toMatchObject([{ outcome: "failed", retrySafe: true, error: { code: "aborted" } }]);
    open();
    expect(await cold.publish([message()], { signal: again.signal })).toMatchObject([{ outcome: "failed" }]);
    expect(cold.health().buffered).toBe(0);
  });

  it("replaces a producer that failed for good, once, and reports what it held", async () => {
    const { transport, driver, producer } = await opened();
    const held = transport.publish([message(), message(), message()]);
    producer.onClose = () => {
      producer.sent[1]!.report.failed({
        outcome: "failed",
        fatal: false,
        error: new EventError("transport-failed", "purged"),
      });
    };
    producer.sent[0]!.report.failed(fatal());
    producer.events.fatal(new EventError("transport-failed", "fatal"));
    const after = transport.publish([message()]);
    expect(await held).toMatchObject([
      { outcome: "unknown", retrySafe: false },
      { outcome: "failed", retrySafe: true },
      { outcome: "unknown", retrySafe: false },
    ]);
    await turn();
    expect(driver.producers).toHaveLength(2);
    expect(producer.closed).toBe(true);
    driver.producers[1]!.sent[0]!.report.stored(1, 1);
    expect(await after).toMatchObject([{ stored: true }]);
  });

  it("keeps the order of what was accepted while it connects", async () => {
    const driver = new FakeDriver();
    const transport = kafkaTransport({ driver });
    expect(transport.post!(message({ body: "1" }))).toBe(true);
    void transport.publish([message({ body: "2" })]);
    expect(transport.post!(message({ body: "3" }))).toBe(true);
    await turn();
    const bodies = driver.producers[0]!.sent.map((each) => new TextDecoder().decode(each.record.value!));
    expect(bodies).toEqual(["1", "2", "3"]);
  });

  it("fails what waits when no broker answers, and connects again for the next message", async () => {
    const driver = new FakeDriver();
    driver.unreachable = new EventError("unreachable", "no broker", { retryable: true });
    const transport = kafkaTransport({ driver });
    expect(await transport.publish([message()])).toMatchObject([
      { outcome: "failed", retrySafe: true, error: { code: "unreachable" } },
    ]);
    expect(transport.health().state).toBe("disconnected");
    driver.unreachable = undefined;
    const next = transport.publish([message()]);
    await turn();
    driver.producers[0]!.sent[0]!.report.stored(0, 0);
    expect(await next).toMatchObject([{ stored: true }]);
    expect(transport.health().state).toBe("connected");
  });

  it("connects again by itself, so that a fallback chain may come back, and holds no timer after close", async () => {
    const clock = fakeClock();
    const driver = new FakeDriver();
    driver.unreachable = new EventError("unreachable", "no broker", { retryable: true });
    const transport = kafkaTransport({ driver, clock });
    await transport.publish([message()]);
    await clock.advance(5_000);
    expect(transport.health().state).toBe("disconnected");
    driver.unreachable = undefined;
    await clock.advance(5_000);
    expect(transport.health().state).toBe("connected");
    await transport.close();
    const never = kafkaTransport({ driver, clock });
    driver.unreachable = new EventError("unreachable", "no broker", { retryable: true });
    await never.publish([message()]);
    await never.close();
    expect(clock.pending).toBe(0);
  });

  it("bounds what waits, in messages and in bytes", async () => {
    const { transport } = await opened({ buffer: { messages: 2, bytes: 1_000 } });
    expect(transport.post!(message({ body: "x".repeat(990) }))).toBe(true);
    expect(transport.post!(message({ body: "x".repeat(20) }))).toBe(false);
    expect(transport.post!(message())).toBe(true);
    expect(transport.post!(message())).toBe(false);
    expect(await transport.publish([message()])).toMatchObject([
      { outcome: "failed", retrySafe: true, error: { code: "buffer-full", retryable: true } },
    ]);
  });

  it("tells a posted message's later failure as a status", async () => {
    const { transport, producer } = await opened();
    const seen: TransportStatus[] = [];
    const stop = transport.onStatus((status) => seen.push(status));
    transport.post!(message());
    producer.sent[0]!.report.failed({ outcome: "unknown", fatal: false, error: new EventError("timeout", "late") });
    stop();
    expect(seen).toMatchObject([{ type: "error", error: { code: "timeout" } }]);
  });

  it("counts at close exactly what was not confirmed, and settles it", async () => {
    const { transport, producer } = await opened();
    const left = transport.publish([message(), message()]);
    transport.post!(message());
    producer.sent[0]!.report.stored(0, 1);
    expect(await transport.close({ deadlineMs: 10 })).toEqual({ unsent: 2, unsettled: 0 });
    expect(await left).toMatchObject([{ stored: true }, { outcome: "unknown", error: { code: "closed" } }]);
    expect(producer.closed).toBe(true);
    expect(transport.health().state).toBe("closed");
    expect(await transport.publish([message()])).toMatchObject([{ outcome: "failed", error: { code: "closed" } }]);
    expect(() => transport.post!(message())).toThrow(expect.objectContaining({ code: "closed" }));
  });

  it("waits at close for reports that still come within the deadline", async () => {
    const { transport, producer } = await opened();
    const publishing = transport.publish([message()]);
    const closing = transport.close({ deadlineMs: 20_000 });
    await turn();
    expect(producer.closed).toBe(false);
    producer.sent[0]!.report.stored(0, 1);
    expect(await publishing).toMatchObject([{ stored: true }]);
    expect(await closing).toEqual({ unsent: 0, unsettled: 0 });
  });

  it("waits in flush until everything is reported", async () => {
    const { transport, producer } = await opened();
    transport.post!(message());
    let flushed = false;
    const flushing = transport.flush!().then(() => {
      flushed = true;
    });
    await turn();
    expect(flushed).toBe(false);
    producer.sent[0]!.report.stored(0, 1);
    await flushing;
  });

  it("names the option that cannot work", () => {
    expect(() => kafkaTransport({ driver: new FakeDriver(), maxAhead: { messages: 0 } })).toThrow(/maxAhead\.messages/);
    expect(() => kafkaTransport({ driver: undefined as never })).toThrow(/driver/);
  });
});
