/**
 * Waybill's core: events, catalog, bus, codecs and propagators. The same file in every runtime.
 *
 * @module
 */
export type {
  BatchDelivery,
  BatchEntry,
  BatchLimits,
  BatchSubscribeOptions,
  EntryDelivery,
} from "./batch-options.ts";
export { createEventBus, type EventBus, type TypedItem } from "./bus.ts";
export {
  type Catalog,
  type DataInput,
  type DataOutput,
  defineEvents,
  type EventDefinition,
  type EventOf,
  type Matches,
  type MatchingTypes,
  type PatternOf,
  type ReplyInput,
  type ReplyOutput,
  type TypeName,
} from "./catalog.ts";
export { type Clock, systemClock, type Timer } from "./clock.ts";
export { cloudEventsBinary } from "./codec/cloudevents-binary.ts";
export { cloudEventsStructured } from "./codec/cloudevents-structured.ts";
export type { Codec } from "./codec/codec.ts";
export { envelope } from "./codec/envelope.ts";
export { httpBinding } from "./codec/http-binding.ts";
export { createEvent, type EventDefaults, type EventInit } from "./create-event.ts";
export {
  type Backoff,
  type ExponentialBackoffOptions,
  exponentialBackoff,
  fixedBackoff,
  linearBackoff,
} from "./delivery/backoff.ts";
export type { CircuitState } from "./delivery/circuit-breaker.ts";
export type { DeadLetterOptions } from "./delivery/dead-letters.ts";
export type {
  Awaitable,
  Claim,
  IdempotencyOptions,
  IdempotencyStore,
  InboxOutcome,
  TransactionalInbox,
} from "./delivery/idempotency.ts";
export type { RetryOptions } from "./delivery/retry-policy.ts";
export { EventError, type EventErrorCode, type EventErrorOptions } from "./errors.ts";
export type { CloudEvent, Extensions, ExtensionValue } from "./event.ts";
export type { BatchOptions, EventBatch } from "./event-batch.ts";
export { type IdGenerator, type RandomSource, systemRandom, type UuidOptions, uuidv7 } from "./id.ts";
export { defaultLimits, type Limits } from "./limits.ts";
export type { Logger } from "./logger.ts";
export type { HeaderCarrier, HeaderEntries, IncomingMessage, OutgoingMessage } from "./message.ts";
export type {
  BreakerStatus,
  BusHealth,
  CircuitBreakerOptions,
  ErrorListener,
  ErrorOrigin,
  EventBusOptions,
  ForwardOptions,
  HandlerDelivery,
  PublishFunction,
  PublishItem,
  PublishOptions,
  PublishRetry,
  Receipt,
  Route,
  StatusListener,
  SubscribeOptions,
  Transports,
  Trust,
  WaitOptions,
} from "./options.ts";
export { type B3Options, b3 } from "./propagation/b3.ts";
export { type W3CBaggageOptions, w3cBaggage } from "./propagation/baggage.ts";
export { compositePropagator } from "./propagation/composite.ts";
export { envelopeIds } from "./propagation/envelope-ids.ts";
export { type W3CTraceContextOptions, w3cTraceContext } from "./propagation/w3c.ts";
export type { InferInput, InferOutput, SchemaIssue, SchemaResult, StandardSchema } from "./schema.ts";
export type { Subscription } from "./subscriber.ts";
export type {
  Capabilities,
  CloseOptions,
  CloseReport,
  ConsumeSink,
  ConsumeSource,
  Delivery,
  DestinationSpec,
  HeaderBinding,
  Lag,
  ProvidedDestination,
  PublishOutcome,
  ReadOptions,
  StateEntry,
  StateOptions,
  StateStore,
  StoredAt,
  SystemAttributes,
  TransactionalPublisher,
  Transport,
  TransportHealth,
  TransportRequestOptions,
  TransportStatus,
  TransportSubscription,
  Verdict,
} from "./transport.ts";
export { type Upcaster, type Upcasters, upcasters } from "./upcasters.ts";
