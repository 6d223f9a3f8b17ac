import type { EventError } from "./errors.ts";
import type { IncomingMessage, OutgoingMessage } from "./message.ts";

/** How CloudEvents attributes become headers on a transport: each protocol binding has its own rules. */
export interface HeaderBinding {
  /** Before each attribute name: `ce-` (NATS, HTTP) or `ce_` (Kafka). */
  readonly prefix: string;
  /** The header that carries `datacontenttype`. */
  readonly contentType: string;
  /** Whether values are percent-encoded (NATS, HTTP) or plain UTF-8 (Kafka). */
  readonly percentEncoded: boolean;
}

/** Span attributes that only this system has, by the name its conventions give them. */
export interface SystemAttributes {
  /** Gets the ordering key, as text. */
  readonly key?: string;
  /** Gets the position in the partition, as a number. */
  readonly offset?: string;
  /** Set to true when the message has no body; else left out. */
  readonly tombstone?: string;
}

/** What a transport can do; what it leaves out it cannot. Core asks these, never a transport's name. */
export interface Capabilities {
  /** OpenTelemetry's `messaging.system`. */
  readonly system: string;
  /** Undefined: it has none. */
  readonly attributes?: SystemAttributes;
  /** How attributes of events are written as headers, and read back. */
  readonly binding: HeaderBinding;
  /** A stored message survives the loss of every client. */
  readonly durable?: boolean;
  /** A delivery that was not acknowledged comes again. */
  readonly redelivery?: boolean;
  /** `retry` verdicts may carry a delay. */
  readonly delayedRedelivery?: boolean;
  /** Messages of one key reach a group in the order of publication; where not always, asked per destination and group. */
  readonly keyOrder?: boolean | ((destination: string, group: string | undefined) => boolean);
  /** What is settled counts only up to the first message that is not: one that waits holds up what lies behind it. */
  readonly contiguous?: boolean;
  /** Members of a group share the messages. */
  readonly groups?: boolean;
  /** Consumers may start in the past. */
  readonly replay?: boolean;
  /** Request and reply. */
  readonly request?: boolean;
  /** A second message with the same `dedupId` is recognised within a window. */
  readonly deduplication?: boolean;
  /** `consume` takes `*` for one token and `>` for the rest. */
  readonly wildcards?: boolean;
  /** Largest message, headers included, in bytes. */
  readonly maxMessageBytes: number;
}

/** Where the broker put a message. */
export interface StoredAt {
  /** Undefined where the system, or this destination, has none. */
  readonly partition?: number;
  /** Position in the partition. Undefined where the system counts otherwise or the broker does not tell. */
  readonly offset?: number;
  /** Position in the stream, where the system counts by streams. */
  readonly sequence?: number;
  /** The broker had a message with this `dedupId` already. */
  readonly duplicate?: boolean;
}

/** What became of one message of a `publish` call. */
export type PublishOutcome =
  | { readonly stored: true; readonly at: StoredAt }
  | {
      readonly stored: false;
      /** `failed`: certainly not stored. `unknown`: it may be stored. */
      readonly outcome: "failed" | "unknown";
      /** Whether sending it again cannot store it twice. */
      readonly retrySafe: boolean;
      readonly error: EventError;
    };

/** What a consumer decided about a delivery. */
export type Verdict =
  | { readonly kind: "ack" }
  /** Deliver it again after `delayMs`, with the next attempt number. */
  | { readonly kind: "retry"; readonly delayMs: number }
  /** Done with it without success: never deliver it again to this group. */
  | { readonly kind: "reject"; readonly reason: string };

/** One attempt to hand a message to a group. */
export interface Delivery {
  /** The same content in every attempt. */
  readonly message: IncomingMessage;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The partition or shard it came by; revoked as a whole. */
  readonly lane: string;
  /** Where it stands in its lane, in the transport's own words; unique within the lane. */
  readonly position: string;
  /** Aborts when the lane is revoked: whatever is settled afterwards is void. */
  readonly signal: AbortSignal;
  /** Resolves when the broker has the verdict; rejects with `fenced` after a revoke. The first call counts. */
  settle(verdict: Verdict): Promise<void>;
  /** Says that work goes on, where the broker would redeliver otherwise. */
  extend(): void;
  /** Gives back a delivery that no handler has seen: it comes again and burns no attempt. */
  release(): void;
  /**
   * Set where the broker has given the message up, with the reason in the broker's words, such as `max-deliveries`:
   * it is not handled but goes to the dead letters, or is reported where there are none.
   */
  readonly givenUp?: string | undefined;
}

/** What to consume. */
export interface ConsumeSource {
  /** Subjects or topics; with `wildcards` also patterns of `*` and a final `>`. */
  readonly destinations: readonly string[];
  /** Members of one group share the messages; without a group every subscription gets all. */
  readonly group?: string | undefined;
  /** Where a group (or a subscription without one) begins that has no position yet. */
  readonly from: "new" | "earliest" | (string & {});
}

/** Where a transport hands what it receives. */
export interface ConsumeSink {
  /** Called against credit only: one call uses one credit. Must not throw. */
  deliver(delivery: Delivery): void;
  /** The lane is about to go. Resolves when its started work is settled and the rest released. */
  revoke(lane: string): Promise<void>;
  /** Something outside any delivery went wrong. */
  failed(error: EventError): void;
}

/** How far a subscription is behind, per lane. */
export interface Lag {
  /** As in {@link Delivery.lane}. */
  readonly lane: string;
  /** What is still to be delivered, as last known; where the system counts so, with what is not settled yet. */
  readonly messages: number;
}

/** What a close left behind. */
export interface CloseReport {
  /** Accepted messages that no broker confirmed. */
  readonly unsent: number;
  /** Deliveries that were started and whose settlement no broker confirmed. */
  readonly unsettled: number;
}

/** Options of every `close`. */
export interface CloseOptions {
  /** After this many milliseconds what is left is dropped and counted. Default: 10,000. */
  readonly deadlineMs?: number | undefined;
}

/** A running consumption. Starts without credit. */
export interface TransportSubscription {
  /** Allows `n` more deliveries. */
  credit(n: number): void;
  /** No more deliveries of that lane until {@link resumeLane}. */
  pauseLane(lane: string): void;
  /** Undoes {@link pauseLane}. Does nothing for a lane that is not paused. */
  resumeLane(lane: string): void;
  /** One entry per lane that this member has. */
  lag(): Promise<readonly Lag[]>;
  /** Leaves the group and gives up what was not settled. */
  close(options?: CloseOptions): Promise<CloseReport>;
}

/** The state of a transport, as {@link Transport.health} tells it. */
export interface TransportHealth {
  /** `disconnected`: it tries to reconnect. `closed`: for good. */
  readonly state: "connected" | "disconnected" | "closed";
  /** Accepted messages that wait for a confirmation. */
  readonly buffered: number;
  /** About their size in bytes, headers included. */
  readonly bufferedBytes: number;
}

/** A change in a transport's state. */
export interface TransportStatus {
  /** `stale`: the socket stopped answering. `error`: something failed that no call reports; the state is as before. */
  readonly type: "connected" | "disconnected" | "reconnecting" | "stale" | "closed" | "error";
  /** Set with `error`, and where the cause of a `disconnected` or `closed` is known. The bus reports it. */
  readonly error?: EventError;
}

/** Options of {@link Transport.request}. */
export interface TransportRequestOptions {
  /** Rejects with `timeout` after this many milliseconds, a wait for the connection included. */
  readonly timeoutMs: number;
  /** Gives up waiting with code `aborted`; the request may still be answered. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link Transport.ensure} provides. */
export interface DestinationSpec {
  /**
   * `dead-letter`: takes what failed, and keeps it until it is removed, however it is read. `retry`: takes what is tried
   * again later. `state`: keeps the last message of each key.
   */
  readonly role: "dead-letter" | "retry" | "state";
  /** What it belongs to: a subject or topic that is subscribed to, with wildcards where the transport has them. */
  readonly source: string;
  /** Its own name. Default: that of `source` with `.dlq`, `.retry` or `.state` behind it, or as the transport has to name it. */
  readonly destination?: string | undefined;
}

/** What {@link Transport.ensure} provided. */
export interface ProvidedDestination {
  /** All of it, for `consume` and `read`: with wildcards where the source has some. */
  readonly destinations: readonly string[];
  /** Where to publish what belongs to this one of the source's destinations, which has no wildcard. */
  of(destination: string): string;
}

/** An entry of a {@link StateStore}. */
export interface StateEntry {
  /** As it was written. */
  readonly value: string;
  /** Grows with each write of the key; never 0. */
  readonly revision: number;
}

/** Small values by key, durable where the transport is. Keys: letters, digits and `-_=.`, no dot at the ends. */
export interface StateStore {
  /** What was written last and confirmed. */
  get(key: string): Promise<StateEntry | undefined>;
  /**
   * Writes if the key's revision is still `revision` (0: there is no entry). Answers the new revision, or undefined
   * when it is another. Rejects as `publish` does; then it may be written.
   */
  put(key: string, value: string, revision: number): Promise<number | undefined>;
  /** Removes the entry if its revision is still `revision`. Answers whether it is gone. */
  delete(key: string, revision: number): Promise<boolean>;
  /** What is there now, in any order. Entries that change meanwhile may come or not. */
  entries(): AsyncIterable<StateEntry & { readonly key: string }>;
}

/** Options of {@link Transport.openState}. */
export interface StateOptions {
  /** An entry is forgotten so long after its last write, in milliseconds. Default: never. */
  readonly ttlMs?: number | undefined;
}

/** Stores messages all or none; made by {@link Transport.openTransactions}. */
export interface TransactionalPublisher {
  /**
   * Stores all of these or none. Rejects with `fenced` once another publisher of the same name exists, for good; with
   * `outcome` `unknown` when nobody can tell: then this publisher is over, and the next of its name ends what it began.
   */
  publish(messages: readonly OutgoingMessage[], options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Gives up what is not stored. */
  close(): Promise<void>;
}

/** Options of {@link Transport.read}. */
export interface ReadOptions {
  /** One subject or topic; with `wildcards` also a pattern. */
  readonly destination: string;
  /** {@link IncomingMessage.position} of the first message wanted. Default: the earliest. */
  readonly from?: string | undefined;
  /** Ends the reading with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** What binds Waybill to a broker: batch-first, outcomes per message, deliveries against credit. */
export interface Transport {
  /** For receipts, logs and errors only. */
  readonly name: string;
  /** What core asks before it uses a feature. Only `maxMessageBytes` may change later. */
  readonly capabilities: Capabilities;
  /** Never rejects for one message: the outcomes stand in the order of `messages`. */
  publish(
    messages: readonly OutgoingMessage[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly PublishOutcome[]>;
  /**
   * Fire and forget, without a promise. False: refused by a full buffer. Throws for what can never be sent
   * (`too-large`, `invalid-header`, `closed`); later failures go to `onStatus` as `error`.
   */
  post?(message: OutgoingMessage): boolean;
  /** Resolves when the subscription is active at the broker. */
  consume(source: ConsumeSource, sink: ConsumeSink): Promise<TransportSubscription>;
  /** Rejects with `no-responders` at once when nobody listens. */
  request?(message: OutgoingMessage, options: TransportRequestOptions): Promise<IncomingMessage>;
  /** What is stored now, then ends. Each message has its `position`. */
  read?(options: ReadOptions): AsyncIterable<IncomingMessage>;
  /**
   * Provides a destination, or verifies one that exists and never changes it silently. Rejects with
   * `configuration-mismatch` for one that could not keep what it is for, and as `consume` does.
   */
  ensure?(spec: DestinationSpec): Promise<ProvidedDestination>;
  /** Opens a store of that name, which is made when it is not there. Rejects as `ensure` does. */
  openState?(name: string, options?: StateOptions): Promise<StateStore>;
  /** Opens the one publisher of that name: every earlier one is fenced, and what it left unfinished is not stored. */
  openTransactions?(name: string): Promise<TransactionalPublisher>;
  /** What is known now, without asking the broker. */
  health(): TransportHealth;
  /** Returns a function that stops the listening. */
  onStatus(listener: (status: TransportStatus) => void): () => void;
  /** Resolves when everything accepted so far is confirmed. */
  flush?(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Closes only what it opened. */
  close(options?: CloseOptions): Promise<CloseReport>;
}
