/**
 * Waybill on Bun: `connect` opens NATS over TCP, JetStream, and Kafka without native code.
 *
 * @module
 */
export type {
  JetStreamOptions,
  NatsCredentials,
  NatsOptions,
  NatsTcpOptions,
  NatsTlsOptions,
} from "../shared/connect-options.ts";
export { type EnvironmentOptions, fromEnv, type Variables } from "../shared/from-env.ts";
export type { PlatformaticKafkaOptions, ServerBus, ServerConnectOptions, ServerTransport } from "../shared/server.ts";
export { type ConnectOptions, connect } from "./connect.ts";
