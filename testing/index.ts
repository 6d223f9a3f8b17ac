/**
 * @module
 * For tests and development: an embedded NATS server.
 */
export { NatsEngine, type NatsEngineOptions, type NatsPeer, type NatsPermissions } from "./embedded-nats/engine.ts";
export { type EmbeddedNats, type EmbeddedNatsOptions, startEmbeddedNats } from "./embedded-nats/node-host.ts";
export { Session as NatsSession } from "./embedded-nats/session.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
