import type { Context, MeterProvider, TextMapPropagator, TracerProvider } from "@opentelemetry/api";
import type { Catalog, DataInput, TypeName } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import type { Codec } from "./codec/codec.ts";
import type { CircuitState } from "./delivery/circuit-breaker.ts";
import type { DeadLetterOptions } from "./delivery/dead-letters.ts";
import type { IdempotencyOptions } from "./delivery/idempotency.ts";
import type { RetryOptions } from "./delivery/retry-policy.ts";
import type { EventError } from "./errors.ts";
import type { CloudEvent, EventAttributes, ExtensionValue } from "./event.ts";
import type { IdGenerator } from "./id.ts";
import type { Limits } from "./limits.ts";
import type { Logger } from "./logger.ts";
import type { HeaderCarrier } from "./message.ts";
import type { Transport, TransportHealth, TransportStatus } from "./transport.ts";

/** The transports of a bus by name. */
export type Transports = Readonly<Record<string, Transport>>;

/**
 * Sends the types that match `type` to a transport, or along a fallback chain. The first route that matches counts.
 *
 * A chain moves on for an event that the transport before certainly did not store, and past a transport that is
 * disconnected or whose circuit breaker is open. An event with a key stays on the first transport, since another one
 * knows nothing of its order, unless `order` is `none`.
 */
export interface Route<Name extends string = string> {
  /** A type's name or a pattern: `*` is one token, a final `**` the rest. */
  readonly type: string;
  /** A transport, or several by preference. */
  readonly to: Name | readonly Name[];
  /** Takes only the events for which this holds; the others go on to the next route that matches. */
  when?(event: PublishItem): boolean;
  /** Instead of the type's destination. Build what depends on the event from checked tokens only. */
  readonly destination?: string | ((event: PublishItem) => string);
  /** Of a chain: `none` lets events with a key move on too. Default: `key`. */
  readonly order?: "key" | "none";
  /** Of a chain: also moves on for what may be stored, so that an event can arrive twice. Default: false. */
  readonly fallbackOnUnknown?: boolean;
  /** Of a chain: a transport that is not durable may follow a durable one. Default: false. */
  readonly allowDowngrade?: boolean;
  /** Of a chain: when a transport is left out for a while. */
  readonly breaker?: CircuitBreakerOptions;
}

/** When a transport of a chain is left out, or a subscription pauses, and for how long. */
export interface CircuitBreakerOptions {
  /** So many failures in a row open the breaker. Default: 5. */
  readonly failures?: number;
  /** After so many milliseconds one event tries again. Default: 5,000. */
  readonly openMs?: number;
}

/** Options of `createEventBus`. */
export interface EventBusOptions<C extends Catalog, T extends Transports> {
  /** The `source` of every event that this bus publishes: a URI reference such as `/shop/web`. */
  readonly source: string;
  /** With one alone every event goes there. Routes, receipts and errors use these names. */
  readonly transports: T;
  /** The catalog of `defineEvents`. Without one, events are untyped and not validated. */
  readonly events?: C;
  /** Needed as soon as there are several transports. */
  readonly routes?: readonly Route<keyof T & string>[];
  /** How events are written. Default: `cloudEventsBinary()`. Every known format is read. */
  readonly codec?: Codec;
  /** Default: W3C Trace Context and Baggage. */
  readonly propagator?: TextMapPropagator;
  /** Default: the global provider, whenever one is registered. */
  readonly tracerProvider?: TracerProvider;
  /** Default: the global provider, whenever one is registered. */
  readonly meterProvider?: MeterProvider;
  /** Replaces single ones of `defaultLimits`; the others stay in force. */
  readonly limits?: Partial<Limits>;
  /** Gets every error that no `onError` listener takes. Default: none. */
  readonly logger?: Logger;
  /** Default: the host's clock. */
  readonly clock?: Clock;
  /** Default: UUIDv7, growing within the process. */
  readonly ids?: IdGenerator;
}

/** Options of `publish`, `post` and each event of `publishAll`. */
export interface PublishOptions extends EventAttributes {
  /** Instead of the destination of the type. Build it from checked tokens only. */
  readonly destination?: string | undefined;
  /** The ordering key, instead of the catalog's. Kept in the event as `partitionkey`. */
  readonly key?: string | undefined;
  /** Further headers of the message. Names that Waybill, CloudEvents, W3C or NATS own are refused. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The OpenTelemetry context to publish in. Default: the active one. */
  readonly context?: Context | undefined;
}

/** One event of `publishAll`, and what routes look at. */
export interface PublishItem extends PublishOptions {
  /** With a catalog one of its names: any other fails with `unknown-type`. */
  readonly type: string;
  /** undefined: the event has no data. */
  readonly data: unknown;
}

/** Options of `forward`. */
export interface ForwardOptions<Name extends string = string> extends WaitOptions {
  /** Default: the transport to which the routes send the type. */
  readonly transport?: Name | undefined;
  /** Default: the destination of the type. */
  readonly destination?: string | undefined;
  /** Extensions that replace the event's own of that name; undefined removes one. */
  readonly extensions?: Readonly<Record<string, ExtensionValue | undefined>> | undefined;
  /** The OpenTelemetry context to send in. Default: the active one. */
  readonly context?: Context | undefined;
  /** The key of the event where it stood beside it, as a record's does. Default: its `partitionkey`. */
  readonly key?: string | undefined;
  /**
   * Names a copy, such as the third hop of an event: where the transport recognises repeats, it counts as another
   * message than the event itself and its other copies. Default: the event itself.
   */
  readonly copy?: string | undefined;
}

/** What may be added to `publish`. */
export interface PublishRetry {
  /**
   * Sends again what certainly was not stored, and what is safe to send again. Default: only what the transport itself
   * does within its buffer. Without `attempts` it is sent five times at most.
   */
  readonly retry?: RetryOptions | undefined;
}

/** What may be added when the caller waits for the answer. */
export interface WaitOptions {
  /** Gives up after this many milliseconds with code `timeout`. */
  readonly timeoutMs?: number | undefined;
  /** Gives up when aborted with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** Proof that a broker stored an event. */
export interface Receipt {
  /** The event's id. */
  readonly id: string;
  /** Its name in the bus's `transports`; of a fallback chain, the one that stored the event. */
  readonly transport: string;
  /** Subject or topic. */
  readonly destination: string;
  /** Undefined where the system, or this destination, has none. */
  readonly partition?: number;
  /** Position in the partition. Undefined where the system counts otherwise or the broker does not tell. */
  readonly offset?: number;
  /** Position in the stream, where the system counts by streams. */
  readonly sequence?: number;
  /** The broker had it already. */
  readonly duplicate?: boolean;
  /** How often it was sent: 1, and 1 more for each attempt or transport of a fallback chain that did not store it. */
  readonly attempts: number;
  /** Always `broker`: one has confirmed the event, whether or not a handler has seen it. */
  readonly stored: "broker";
}

/** How far a subscription believes the trace context of a message. */
export type Trust =
  /** Continues the trace: the sender is inside the boundary. */
  | "continue"
  /** Begins a new trace, linked to the sender's; baggage is dropped. */
  | "link"
  /** Begins a new trace and forgets the sender's. */
  | "drop";

/** Options of `subscribe`. */
export interface SubscribeOptions<Name extends string = string, Tx = undefined> {
  /** Default: the transport to which the routes send the types. */
  readonly transport?: Name;
  /** Instead of the destinations of the types. May be a pattern where the transport has wildcards. */
  readonly destination?: string;
  /** Members of one group share the events. Without a group every subscription gets all. */
  readonly group?: string;
  /** Where to begin without a stored position. Default: `earliest` with a group on transports that replay, else `new`. */
  readonly from?: "new" | "earliest" | (string & {});
  /** How many handlers may run at once. Default: 1. Shared by the handlers of a group, as are `from` and `order`. */
  readonly concurrency?: number;
  /** `key`: events of one key one after the other. Default: `key` where the transport keeps it, else `none`. */
  readonly order?: "none" | "key";
  /** Gives up waiting for the broker with code `aborted`; a subscription that stands is closed by `close`. */
  readonly signal?: AbortSignal | undefined;
  /** Default: `continue`. */
  readonly trust?: Trust;
  /** false: data as it travelled, without the catalog's schema. Default: true. */
  readonly validate?: boolean;
  /**
   * How often and when a failed event is tried again. Where the broker cannot deliver again (core NATS) it is tried in
   * this process, and only with this option.
   */
  readonly retry?: RetryOptions;
  /** How long one attempt may take, in milliseconds: as `retry.timeoutMs`, which goes before. */
  readonly timeoutMs?: number;
  /**
   * Where events go that are given up. Default: on for groups on durable transports, to the default destination; else
   * off, and what is given up is reported and dropped. Shared by the handlers of a group.
   */
  readonly deadLetter?: boolean | DeadLetterOptions;
  /** Makes sure that what an event causes happens once. Default: it may happen as often as the event is delivered. */
  readonly idempotency?: IdempotencyOptions<Tx>;
  /**
   * Pauses while handlers fail one after the other: what they depend on is away, and no event is to blame. Only
   * retryable failures count. Default: never. Shared by the handlers of a group.
   */
  readonly breaker?: CircuitBreakerOptions;
  /** `link`: processing begins a trace of its own, linked to the message's. Baggage stays. Default: `parent`. */
  readonly correlation?: "parent" | "link";
  /** With limits the handler takes batches: see {@link BatchSubscribeOptions}. */
  readonly batch?: undefined;
}

/** Publishes one event; resolves when the broker has stored it. */
export type PublishFunction<C extends Catalog> = <K extends TypeName<C>>(
  type: K,
  data: DataInput<C, K>,
  options?: PublishOptions & WaitOptions & PublishRetry,
) => Promise<Receipt>;

/** What a handler may know and do beside its event. */
export interface HandlerDelivery<C extends Catalog = Catalog, Tx = undefined> {
  /** 1 for the first attempt, and 1 more for each that failed: what was given back without a failure does not count. */
  readonly attempt: number;
  /** The ordering key. */
  readonly key: string | undefined;
  /** Subject or topic by which the event came, without wildcards. */
  readonly destination: string;
  /** Where the event stands in its lane, in the transport's words. */
  readonly position: string;
  /** Everything that travelled beside the body, attributes and trace context included. */
  readonly headers: HeaderCarrier;
  /** Where the answer goes, when the event is a request. */
  readonly replyTo: string | undefined;
  /** The group of the subscription. */
  readonly group: string | undefined;
  /**
   * Aborts when the lane goes to another member, and when the attempt has taken too long: what is done afterwards is
   * done twice.
   */
  readonly signal: AbortSignal;
  /** The open transaction, where `idempotency.store` is the inbox of a database; else undefined. */
  readonly transaction: Tx;
  /** The OpenTelemetry context of this delivery. */
  readonly context: Context;
  /** Tells the transport that work goes on. Transports that ask for it are told without this as well. */
  extend(): void;
  /**
   * Fails this attempt, however the handler ends, and asks for the next one after `delayMs`, such as what a server
   * answered in `Retry-After`; cut to 2,147,483,647 ms, what timers can keep. After the last attempt the event is given up. The first call of this and `deadLetter`
   * counts, and none after the handler has ended.
   */
  retryAfter(delayMs: number): void;
  /**
   * Gives the event up, however the handler ends, and sets it aside with this reason.
   *
   * @throws EventError `unsupported` where the subscription has no dead letters.
   */
  deadLetter(reason: string): void;
  /**
   * Publishes as a consequence of this event: in its trace, also without a context manager, with its
   * `correlationid` (or its id) and its id as `causationid`.
   */
  readonly publish: PublishFunction<C>;
}

/** Where an error came from, as far as known. */
export interface ErrorOrigin {
  /** Its name in the bus's `transports`. */
  readonly transport?: string | undefined;
  /** Subject or topic. Undefined: the error belongs to the transport as a whole. */
  readonly destination?: string | undefined;
  /** Where the message stands in its lane, in the transport's words. Set for deliveries. */
  readonly position?: string | undefined;
  /** 1 for the first attempt. Set when processing a delivery failed. */
  readonly attempt?: number | undefined;
  /** Undefined when the message could not be read, or the error comes from no handler. */
  readonly event?: CloudEvent | undefined;
}

/** Called with every error that no promise carries. */
export type ErrorListener = (error: EventError, origin: ErrorOrigin) => void;

/** The breaker of a subscription opened, lets one event try, or closed. */
export interface BreakerStatus {
  /** Tells it from what transports say. */
  readonly type: "breaker";
  /** `open`: paused. `half-open`: one event tries. `closed`: handled as usual. */
  readonly state: CircuitState;
  /** The name of the subscription's transport. */
  readonly transport: string;
  /** Undefined: a subscription without a group. */
  readonly group: string | undefined;
  /** What it listens on. */
  readonly destinations: readonly string[];
  /** Never set: failures are reported by `onError`. */
  readonly error?: undefined;
}

/** Called with each change of a transport, and of the breaker of a subscription. */
export type StatusListener = (status: (TransportStatus & { readonly transport: string }) | BreakerStatus) => void;

/** The state of each transport. */
export type BusHealth = Readonly<Record<string, TransportHealth>>;
