/**
 * Waybill in a page or worker: `connect` opens NATS over WebSocket.
 *
 * @module
 */
export type { JetStreamOptions, NatsCredentials, NatsOptions } from "../shared/connect-options.ts";
export { type BrowserTransport, type ConnectOptions, connect } from "./connect.ts";
export { type IndexedDbIdempotencyOptions, indexedDbIdempotency } from "./idempotency.ts";
