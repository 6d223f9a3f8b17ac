import { EventError } from "./errors.ts";

/** A part of the bus that is loaded when it is first needed. */
export interface OnDemand<T> {
  /** Loads it, once. Rejects with `unreachable` where it cannot be had; the next call tries again. */
  load(): Promise<T>;
  /** What is loaded or being loaded. */
  pending(): Promise<T> | undefined;
}

/** Makes a part that `make` brings in by a dynamic import. */
export function onDemand<T>(make: () => Promise<T>): OnDemand<T> {
  let loading: Promise<T> | undefined;
  return {
    load() {
      loading ??= make().catch((cause) => {
        loading = undefined; // the network may be back for the next call
        throw new EventError("unreachable", "cannot load all of Waybill", { cause, retryable: true });
      });
      return loading;
    },
    pending: () => loading,
  };
}
