import { pairHeaders } from "../../../adapters/memory/headers.ts";
import type { Delivery } from "../../../core/transport.ts";

/** A delivery of which nothing but its place matters. */
export function deliveryOf(
  id: string,
  { lane = "0", key }: { readonly lane?: string; readonly key?: string | undefined },
  release: () => void = () => undefined,
): Delivery {
  return {
    message: { destination: "d", headers: pairHeaders([]), body: null, key },
    attempt: 1,
    lane,
    position: id,
    signal: new AbortController().signal,
    settle: async () => undefined,
    extend: () => undefined,
    release,
  };
}
