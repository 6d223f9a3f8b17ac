import { memoryTransport } from "waybill/memory";
import type { ConformanceFactory } from "waybill/testing";

/** Memory lives in one process: a broker of its own for each case. */
export function memoryTarget(): ConformanceFactory {
  return {
    oneClient: true,
    reads: true,
    letters: true,
    duplicateWindowMs: 1_000,
    open: () => ({ transport: memoryTransport({ dedupWindowMs: 1_000 }) }),
  };
}
