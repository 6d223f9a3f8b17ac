import { type Context, context as contextApi } from "@opentelemetry/api";
import type { EventBus } from "../bus.ts";
import type { Catalog, DataInput, TypeName } from "../catalog.ts";
import { createEvent } from "../create-event.ts";
import type { Environment } from "../environment.ts";
import { environmentOf } from "../environment-of.ts";
import { EventError } from "../errors.ts";
import { type CloudEvent, checkText, type EventAttributes } from "../event.ts";
import type { Transports } from "../options.ts";
import { checkDestination } from "../routing.ts";
import { validate } from "../schema.ts";
import type { OutboxRelay, OutboxRelayOptions } from "./relay.ts";
import type { FailedEvent, OutboxDraft, OutboxStats, OutboxStore } from "./store.ts";
import { writeContext, writeEvent } from "./write-row.ts";

/** Options of {@link createOutbox}. */
export interface OutboxOptions<C extends Catalog, T extends Transports, Tx> {
  /** Says which events there are and where they go, and publishes them for the relay. */
  readonly bus: EventBus<C, T>;
  /** Where the rows are kept. */
  readonly store: OutboxStore<Tx>;
}

/** Options of {@link Outbox.add}. */
export interface OutboxAddOptions<Name extends string = string> extends EventAttributes {
  /** The ordering key, instead of the catalog's. Kept in the event as `partitionkey`. */
  readonly key?: string | undefined;
  /** Instead of the destination of the type. Build it from checked tokens only. */
  readonly destination?: string | undefined;
  /** Default: the transport to which the routes send the type. */
  readonly transport?: Name | undefined;
  /** The OpenTelemetry context that the event continues. Default: the active one. */
  readonly context?: Context | undefined;
  /** The event of which this one is a consequence: its `correlationid` (or its id) and its id as `causationid` go along. */
  readonly cause?: CloudEvent | undefined;
}

/** Events that are published if and only if the transaction that added them is committed. */
export interface Outbox<C extends Catalog, Name extends string, Tx> {
  /**
   * Writes an event in the caller's transaction and returns it as it will be published: with its id, its time and the
   * trace and baggage of the caller. Wrong input throws as `publish` does.
   */
  add<K extends TypeName<C>>(
    transaction: Tx,
    type: K,
    data: DataInput<C, K>,
    options?: OutboxAddOptions<Name>,
  ): Promise<CloudEvent<K, DataInput<C, K>>>;
  /**
   * Publishes what is committed until it is closed. Of several relays of a store one works and the others stand by.
   * Rejects with `invalid-option`. The code is loaded with the first call.
   */
  relay(options?: OutboxRelayOptions): Promise<OutboxRelay>;
  /** Tells the relays of this outbox that something was committed: they need not wait for their next look. */
  notify(): void;
  /** What waits now. */
  stats(): Promise<OutboxStats>;
  /** Rows that were given up, the oldest first. Default: at most 100. */
  failed(limit?: number): Promise<readonly FailedEvent[]>;
  /** Lets rows that were given up be published again; answers how many. */
  retry(rowIds: readonly string[]): Promise<number>;
  /** Removes rows that were given up; answers how many. */
  discard(rowIds: readonly string[]): Promise<number>;
}

/**
 * Makes an outbox: an event is written in the transaction that has its cause, and a relay publishes it afterwards, at
 * least once and in the order of its key. A repeat has the same dedup id: JetStream and memory store it once within
 * their windows; consumers elsewhere tell it by `source` and `id`.
 *
 * @throws EventError `invalid-option` for a bus that `createEventBus` did not make.
 *
 * @example
 * ```ts
 * import { createEventBus } from "waybill";
 * import { memoryTransport } from "waybill/memory";
 * import { createOutbox, memoryOutbox } from "waybill/outbox";
 *
 * const bus = createEventBus({ source: "/shop", transports: { memory: memoryTransport() } });
 * const store = memoryOutbox();
 * const outbox = createOutbox({ bus, store });
 * await using relay = await outbox.relay();
 * await store.transaction(async (transaction) => {
 *   await outbox.add(transaction, "order.placed", { orderId: "o-1" }, { key: "o-1" });
 * });
 * outbox.notify();
 * console.log(relay.leading, await outbox.stats());
 * ```
 */
export function createOutbox<const T extends Transports, C extends Catalog, Tx>(
  options: OutboxOptions<C, T, Tx>,
): Outbox<C, keyof T & string, Tx> {
  const { bus, store } = options;
  const env = environmentOf(bus);
  const relays = new Set<OutboxRelay>();

  const outbox: Outbox<Catalog, string, Tx> = {
    async add(transaction, type, data, given = {}) {
      const [event, draft] = await draftOf(env, type, data, given).catch((reason: unknown) => {
        throw EventError.from(reason, "invalid-data");
      });
      await store.add(transaction, draft);
      return event as never;
    },
    async relay(given = {}) {
      const { startRelay } = await import("./relay.ts");
      const relay = startRelay({ env, bus, store, options: given, closed: () => relays.delete(relay) });
      relays.add(relay);
      return relay;
    },
    notify() {
      for (const relay of relays) relay.notify();
    },
    stats: () => store.stats(),
    async failed(limit = 100) {
      const [rows, { failedEvent }] = await Promise.all([store.failed(limit), import("./read-row.ts")]);
      return rows.map(failedEvent);
    },
    async retry(rowIds) {
      const count = await store.retry(rowIds);
      outbox.notify();
      return count;
    },
    discard: (rowIds) => store.discard(rowIds),
  };
  // The parts work on names and unknown data; the catalog's types hold at this border.
  return outbox as unknown as Outbox<C, keyof T & string, Tx>;
}

/** Checks an event as `publish` does, and makes it. */
async function draftOf(
  env: Environment,
  type: string,
  data: unknown,
  given: OutboxAddOptions,
): Promise<[CloudEvent, OutboxDraft]> {
  env.checkOpen();
  const context = writeContext(env, given.context ?? contextApi.active());
  const { key: ownKey, destination, transport, context: _, cause, extensions, ...attributes } = given;
  const definition = definitionOf(env, type);
  if (destination !== undefined) checkDestination(destination);
  // Where it goes is asked again when it goes; now it is about what nobody takes.
  const via = transport === undefined ? env.router.plan(type, data, given).transport : env.router.transport(transport);
  if (definition) await validate(definition.schema, data, type);
  const key = ownKey ?? definition?.key?.(data) ?? extensions?.partitionkey?.toString();
  if (key !== undefined) checkText("key", key);
  const event = createEvent(
    {
      dataschema: definition?.dataschema,
      ...attributes,
      type,
      source: env.source,
      data,
      extensions: {
        ...(cause && { correlationid: cause.extensions.correlationid ?? cause.id, causationid: cause.id }),
        ...extensions,
        ...(key !== undefined && { partitionkey: key }),
      },
    },
    { clock: env.clock, ids: env.ids },
  );
  checkBody(env, event, via.capabilities);
  return [event, { event: writeEvent(event), eventId: event.id, type, key, destination, transport, context }];
}

function definitionOf({ router }: Environment, type: string): Catalog[string] | undefined {
  const definition = router.definition(type);
  if (router.types() && !definition) throw new EventError("unknown-type", `the catalog has no event "${type}"`);
  return definition;
}

/** Throws for an event that no relay could ever publish: better in the transaction than afterwards. */
function checkBody(
  { codec, limits }: Environment,
  event: CloudEvent,
  { binding, maxMessageBytes }: Transports[string]["capabilities"],
): void {
  const body = codec.encode(event, binding, [], undefined);
  const most = Math.min(limits.maxEventBytes, maxMessageBytes);
  // A UTF-16 unit takes three bytes at most, so that short text needs no counting.
  if (body === null || body.length * 3 <= most) return;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body).length : body.length;
  if (bytes > most) throw new EventError("too-large", `${bytes} bytes, ${most} allowed`);
}
