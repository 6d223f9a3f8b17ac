/**
 * @module
 * Core NATS over any connection of `@nats-io/nats-core`, `@nats-io/transport-node` or `nats.ws`.
 */
export {
  type NatsConnectOptions,
  type NatsConnectSettings,
  natsConnectDefaults,
  toConnectError,
} from "./connect-options.ts";
export { natsHeaders } from "./headers.ts";
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
} from "./nats-like.ts";
export type { NatsBufferOptions, NatsHoldOptions, NatsTransportOptions } from "./options.ts";
export { type ClosableSocket, promptClose } from "./prompt-close.ts";
export { natsTransport } from "./transport.ts";
