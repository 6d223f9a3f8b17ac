import type { VendorBatch, VendorFetched } from "./vendor.ts";

const transactional = 1 << 4;
const control = 1 << 5;
const abortMarker = 0;

/**
 * Asks the brokers for committed records, as the number 1 does, and leaves the answer as it is: the client's own filter
 * does nothing for what it does not know. From a producer's last aborted transaction that has records it drops all up to
 * the last abort marker of that fetch, and what was committed in between with it.
 */
export const committedUnfiltered = "1";

/**
 * The batches of a fetch that a reader of committed records may see: each transaction is begun and ended where it lies in
 * the log.
 */
export function* committed({ records, abortedTransactions }: VendorFetched): Generator<VendorBatch> {
  const begins = [...(abortedTransactions ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborted = new Set<bigint>();
  for (const batch of records ?? []) {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (begins.length > 0 && begins[0]!.firstOffset <= lastOffset) aborted.add(begins.shift()!.producerId);
    if (batch.attributes & control) {
      if (markerOf(batch) === abortMarker) aborted.delete(batch.producerId);
      continue;
    }
    if (batch.attributes & transactional && aborted.has(batch.producerId)) continue;
    yield batch;
  }
}

// The key of a control record is a version and a type, 16 bits each.
function markerOf({ records }: VendorBatch): number | undefined {
  const key = records[0]?.key;
  return key && key.byteLength >= 4 ? (key[2]! << 8) | key[3]! : undefined;
}
