import type { HeaderCarrier } from "../../core/message.ts";
import { headerCarrier } from "./header-carrier.ts";
import type { NatsHeadersLike } from "./nats-like.ts";

/**
 * Reads the headers of a received NATS message: names match without regard to case, a name may have several values.
 *
 * Parsing waits for the first access. Headers the client cannot parse (a name with illegal characters) read as none,
 * so that one hostile message cannot stop a subscription. A header called `__proto__` is a name like any other.
 *
 * @param message Anything with the client's `headers`: a received message.
 *
 * @example
 * ```ts
 * import { natsHeaders } from "waybill/nats";
 *
 * const carrier = natsHeaders({ headers: new Map([["Ce-Type", ["order.placed"]]]) });
 * carrier.get("ce-type"); // "order.placed"
 * ```
 */
export function natsHeaders(message: { readonly headers?: NatsHeadersLike | undefined }): HeaderCarrier {
  return headerCarrier(message);
}
