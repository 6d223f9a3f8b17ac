/**
 * Waybill in a page or worker: `connect` opens NATS over WebSocket.
 *
 * @module
 */
export type { NatsCredentials, NatsOptions } from "../shared/connect-options.ts";
export { type ConnectOptions, connect } from "./connect.ts";
