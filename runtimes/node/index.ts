/**
 * Waybill on Node: `connect` opens NATS over TCP and Kafka by Confluent's client.
 *
 * @module
 */
export type { NatsCredentials, NatsOptions } from "../shared/connect-options.ts";
export { type ConnectOptions, connect, type NodeTransport } from "./connect.ts";
