import { describe, expect, it } from "vitest";
import { committed } from "../../../adapters/kafka/platformatic/read-committed.ts";
import type { VendorBatch, VendorFetched } from "../../../adapters/kafka/platformatic/vendor.ts";

const transactional = 16;
const control = 32;

function batch(firstOffset: number, producerId: number, attributes: number, key?: Uint8Array): VendorBatch {
  return {
    firstOffset: BigInt(firstOffset),
    lastOffsetDelta: 0,
    attributes,
    firstTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: BigInt(producerId),
    records: [{ offsetDelta: 0, timestampDelta: 0n, key, value: undefined, headers: [] }],
  };
}
const data = (offset: number, producer: number): VendorBatch => batch(offset, producer, transactional);
const plain = (offset: number): VendorBatch => batch(offset, -1, 0);
const abort = (offset: number, producer: number): VendorBatch =>
  batch(offset, producer, transactional | control, new Uint8Array([0, 0, 0, 0]));
const commit = (offset: number, producer: number): VendorBatch =>
  batch(offset, producer, transactional | control, new Uint8Array([0, 0, 0, 1]));

const seen = (
  records: readonly VendorBatch[],
  aborted: readonly (readonly [producer: number, first: number])[],
): number[] => {
  const abortedTransactions = aborted.map(([producer, first]) => ({
    producerId: BigInt(producer),
    firstOffset: BigInt(first),
  }));
  const fetched: VendorFetched = {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 100n,
    logStartOffset: 0n,
    records,
    abortedTransactions,
  };
  return [...committed(fetched)].map(({ firstOffset }) => Number(firstOffset));
};

describe("a fetch of committed records", () => {
  it("leaves out every aborted transaction of one producer, in whatever order they are listed", () => {
    const log = [data(0, 7), abort(1, 7), data(2, 7), commit(3, 7), data(4, 7), abort(5, 7), plain(6)];
    expect(
      seen(log, [
        [7, 4],
        [7, 0],
      ]),
    ).toEqual([2, 6]);
  });

  it("leaves out what was aborted in a later fetch", () => {
    expect(seen([plain(0), data(1, 7), data(2, 8), plain(3)], [[7, 1]])).toEqual([0, 2, 3]);
  });

  it("leaves out the rest of a transaction whose begin came with an earlier fetch", () => {
    expect(seen([data(10, 7), abort(11, 7), data(12, 7), commit(13, 7)], [[7, 4]])).toEqual([12]);
  });

  it("keeps what the same producer wrote before its transaction, and what is in no transaction", () => {
    expect(seen([data(0, 7), commit(1, 7), batch(2, 7, 0), data(3, 7), abort(4, 7)], [[7, 3]])).toEqual([0, 2]);
  });
});
