import type { VendorBatch, VendorFetched } from "./vendor.ts";

const transactional = 1 << 4;
const control = 1 << 5;
const abortMarker = 0;

/**
 * The batches of a fetch that a reader of committed records may see. The client's own filter keeps one transaction per
 * producer and forgets those whose end lies in a later fetch; here each is begun and ended where it lies in the log.
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
