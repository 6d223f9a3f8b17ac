/**
 * @module
 * For tests and development: an embedded NATS server, alone or behind msw; a clock.
 */
export type {
  BusPlan,
  ConformanceCase,
  ConformanceClient,
  ConformanceContext,
  ConformanceFactory,
  DestinationPlan,
  Need,
  TestBus,
} from "./conformance/case.ts";
export { conformanceCases } from "./conformance/cases/index.ts";
export { type CaseResult, type RunCasesOptions, runCases } from "./conformance/run-cases.ts";
export { type RunConformanceOptions, runConformance, type TestFunction } from "./conformance/run-conformance.ts";
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
export { type Recorded, type Recorder, type RecorderOptions, recorder } from "./recorder.ts";
