import { natsTransport } from "../../adapters/nats/index.ts";
import { createEventBus, type EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import type { CloseOptions, CloseReport, Transport } from "../../core/transport.ts";
import type { BusOptions, JetStreamOptions } from "./connect-options.ts";
import { closeNats, type OwnConnection } from "./open-nats.ts";

/** What `connect` opens, one after the other. */
export interface Openers {
  /** A connection for core NATS and JetStream. */
  readonly nats?: (() => Promise<OwnConnection>) | undefined;
  readonly jetstream?: JetStreamOptions | undefined;
  readonly kafka?: (() => Promise<Transport>) | undefined;
}

/**
 * Opens what is asked for and makes the bus over it. Closing the bus closes its transports first and then the
 * connection that they share. When a step fails, what was opened before is closed again.
 */
export async function openBus<C extends Catalog, Name extends string>(
  { onError, onStatus, ...options }: BusOptions<C, Name>,
  { nats, jetstream, kafka }: Openers,
): Promise<EventBus<C, Readonly<Record<Name, Transport>>>> {
  const transports: Record<string, Transport> = {};
  let connection: OwnConnection | undefined;
  const release = async (): Promise<void> => {
    if (connection) await closeNats(connection);
  };
  try {
    connection = await nats?.();
    if (connection) transports.nats = natsTransport({ connection });
    if (connection && jetstream) {
      const { jetstreamTransport } = await import("../../adapters/jetstream/index.ts");
      transports.jetstream = jetstreamTransport({ ...(jetstream === true ? {} : jetstream), connection });
    }
    if (kafka) transports.kafka = await kafka();
    const bus = createEventBus<Record<string, Transport>, C>({ ...(options as object), transports } as never);
    if (onError) bus.onError(onError);
    if (onStatus) bus.onStatus(onStatus);
    return closing(bus, release) as never;
  } catch (error) {
    await Promise.all(Object.values(transports).map((transport) => transport.close({ deadlineMs: 0 })));
    await release();
    throw error;
  }
}

/** The bus, whose `close` ends with `release`. */
function closing<C extends Catalog, T extends Readonly<Record<string, Transport>>>(
  bus: EventBus<C, T>,
  release: () => Promise<void>,
): EventBus<C, T> {
  let done: Promise<CloseReport> | undefined;
  const close = (options?: CloseOptions): Promise<CloseReport> => {
    done ??= bus.close(options).then((report) => release().then(() => report));
    return done;
  };
  return { ...bus, close, [Symbol.asyncDispose]: async () => void (await close()) };
}
