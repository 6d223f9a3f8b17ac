import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kafkaTransport } from "../../../adapters/kafka/index.ts";
import { EventError } from "../../../core/errors.ts";
import type { ReadOptions, Transport } from "../../../core/transport.ts";
import { FakeDriver, turn } from "./fake-driver.ts";
import { type FakeLog, FakeReader, FakeStoredDriver } from "./fake-stored.ts";

function reading(...logs: FakeLog[]): { driver: FakeStoredDriver; reader: FakeReader; transport: Transport } {
  const driver = new FakeStoredDriver();
  driver.reader = new FakeReader(logs);
  return { driver, reader: driver.reader, transport: kafkaTransport({ driver }) };
}

async function positions(transport: Transport, more: Partial<ReadOptions> = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { position } of transport.read!({ destination: "t", ...more })) found.push(position!);
  return found;
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: EventError) => error.code,
  );

describe("a reading of what is stored", () => {
  it("gives partition after partition in order and ends", async () => {
    const { transport, reader } = reading(
      { low: 0, end: 2, offsets: [0, 1] },
      { low: 5, end: 7, offsets: [5, 6] },
      { low: 3, end: 3, offsets: [] },
    );
    expect(await positions(transport)).toEqual(["0/0", "0/1", "1/5", "1/6"]);
    expect(reader.closed).toBe(true);
  });

  it("leaves out what was stored after it began", async () => {
    const { transport } = reading({ low: 0, end: 2, offsets: [0, 1, 2, 3] }, { low: 0, end: 1, offsets: [0, 1] });
    expect(await positions(transport)).toEqual(["0/0", "0/1", "1/0"]);
  });

  it("goes on at a position and through the partitions behind it", async () => {
    const { transport } = reading(
      { low: 0, end: 2, offsets: [0, 1] },
      { low: 2, end: 5, offsets: [2, 3, 4] },
      { low: 0, end: 1, offsets: [0] },
    );
    expect(await positions(transport, { from: "1/3" })).toEqual(["1/3", "1/4", "2/0"]);
  });

  it("goes on with the oldest that is left where retention has removed its position", async () => {
    const { transport } = reading({ low: 7, end: 9, offsets: [7, 8] });
    expect(await positions(transport, { from: "0/2" })).toEqual(["0/7", "0/8"]);
  });

  it("gives everything stored between any gaps, from any position, and ends", async () => {
    const log = fc
      .record({ low: fc.nat(5), length: fc.nat(12), kept: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }) })
      .map(({ low, length, kept }) => {
        const offsets = Array.from({ length }, (_, n) => low + n).filter((_, n) => kept[n]);
        return { low, end: low + length, offsets };
      });
    await fc.assert(
      fc.asyncProperty(
        fc.array(log, { maxLength: 4, size: "medium" }),
        fc.nat(4),
        fc.nat(20),
        fc.integer({ min: 1, max: 5 }),
        async (logs, partition, offset, chunk) => {
          const { transport, reader } = reading(...logs);
          reader.chunk = chunk;
          const stored = logs.flatMap(({ offsets }, index) => offsets.map((each) => [index, each] as const));
          const wanted = stored.filter(([p, o]) => p > partition || (p === partition && o >= offset));
          expect(await positions(transport, { from: `${partition}/${offset}` })).toEqual(
            wanted.map(([p, o]) => `${p}/${o}`),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it("asks for more only when who reads does", async () => {
    const { transport, reader } = reading({ low: 0, end: 9, offsets: [0, 1, 2, 3, 4, 5, 6, 7, 8] });
    const messages = transport.read!({ destination: "t" })[Symbol.asyncIterator]();
    for (let n = 0; n < 3; n++) await messages.next();
    await turn();
    expect(reader.polls).toBe(1);
    await messages.next();
    expect(reader.polls).toBe(2);
    await messages.return!();
    expect(reader.closed).toBe(true);
  });

  it("goes on after a poll that failed and may succeed", async () => {
    const { transport, reader } = reading({ low: 0, end: 1, offsets: [0] });
    reader.failure = new EventError("transport-failed", "away", { retryable: true });
    expect(await positions(transport)).toEqual(["0/0"]);
    reader.failure = new EventError("invalid-destination", "gone");
    expect(await codeOf(positions(transport))).toBe("invalid-destination");
  });

  it("ends with what the client says has failed for good", async () => {
    const { transport, reader, driver } = reading({ low: 0, end: 1, offsets: [0] });
    reader.gate = new Promise(() => undefined);
    const read = codeOf(positions(transport));
    await expect.poll(() => reader.polls).toBe(1);
    driver.events!.failed(new EventError("transport-failed", "a passing matter", { retryable: true }));
    driver.events!.failed(new EventError("invalid-destination", "gone"));
    expect(await read).toBe("invalid-destination");
    expect(reader.closed).toBe(true);
  });

  it("rejects at once with aborted, while it opens and while it waits", async () => {
    const { transport, reader, driver } = reading({ low: 0, end: 1, offsets: [0] });
    reader.gate = new Promise(() => undefined);
    const waiting = new AbortController();
    const read = codeOf(positions(transport, { signal: waiting.signal }));
    await expect.poll(() => reader.polls).toBe(1);
    waiting.abort();
    expect(await read).toBe("aborted");
    expect(reader.closed).toBe(true);

    reader.closed = false;
    let open = (): void => undefined;
    driver.gate = new Promise((resolve) => {
      open = resolve;
    });
    const opening = new AbortController();
    const early = codeOf(positions(transport, { signal: opening.signal }));
    await turn();
    opening.abort();
    expect(await early).toBe("aborted");
    open();
    await expect.poll(() => reader.closed).toBe(true);
    expect(await codeOf(positions(transport, { signal: AbortSignal.abort() }))).toBe("aborted");
  });

  it("ends with closed when the transport closes, and begins none afterwards", async () => {
    const { transport, reader } = reading({ low: 0, end: 2, offsets: [0, 1] });
    const messages = transport.read!({ destination: "t" })[Symbol.asyncIterator]();
    await messages.next();
    await transport.close();
    expect(await codeOf(messages.next())).toBe("closed");
    expect(reader.closed).toBe(true);
    expect(await codeOf(positions(transport))).toBe("closed");
  });

  it("takes positions alone, and only a driver that can read", async () => {
    const { transport } = reading({ low: 0, end: 1, offsets: [0] });
    for (const from of ["", "1", "a/b", "-1/0", "0/1/2", "0/99999999999999999999"]) {
      expect(await codeOf(positions(transport, { from }))).toBe("invalid-option");
    }
    expect(await codeOf(positions(kafkaTransport({ driver: new FakeDriver() })))).toBe("unsupported");
  });
});
