/**
 * @module
 * JetStream over any connection of `@nats-io/nats-core`, `@nats-io/transport-node` or `nats.ws`.
 */
export type {
  NatsEncodable,
  NatsHeadersLike,
  NatsLike,
  NatsMessageLike,
  NatsPublishOptionsLike,
  NatsRequestOptionsLike,
  NatsStatusLike,
  NatsSubscribeOptionsLike,
  NatsSubscriptionLike,
} from "../nats/nats-like.ts";
export type { NatsBufferOptions } from "../nats/options.ts";
export { type JetStreamIdempotencyOptions, jetstreamIdempotency } from "./idempotency.ts";
export type { JetStreamBufferOptions, JetStreamTransportOptions, StreamSpec } from "./options.ts";
export { jetstreamTransport } from "./transport.ts";
export { workQueueStream } from "./work-queue-stream.ts";
