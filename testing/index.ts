/**
 * @module
 * For tests and development: an embedded NATS server, alone or behind msw; a clock.
 */
export {
  NatsEngine,
  type NatsEngineOptions,
  type NatsPeer,
  type NatsPermissions,
  type NatsPublishOptions,
} from "./embedded-nats/engine.ts";
export { type EmbeddedNats, type EmbeddedNatsOptions, startEmbeddedNats } from "./embedded-nats/node-host.ts";
export { Session as NatsSession } from "./embedded-nats/session.ts";
export type { Interest as NatsInterest } from "./embedded-nats/subject-trie.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export { type NatsHandlerOptions, natsHandler } from "./msw/nats-handler.ts";
