import type { HeaderBinding } from "../transport.ts";

/**
 * How CloudEvents become HTTP headers (HTTP protocol binding 1.0): attributes as `ce-…`, percent-encoded, and the
 * media type of the data as the message's own `Content-Type`, which is not.
 *
 * @example
 * ```ts
 * import { cloudEventsBinary, createEvent, httpBinding } from "waybill";
 *
 * const headers: (string | Uint8Array)[] = [];
 * const event = createEvent({ type: "order.placed", source: "/shop", data: { orderId: "o-1" } });
 * const body = cloudEventsBinary().encode(event, httpBinding, headers, undefined);
 * console.log(headers, body);
 * ```
 */
export const httpBinding: HeaderBinding = { prefix: "ce-", contentType: "content-type", percentEncoded: true };
