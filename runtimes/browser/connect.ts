import { promptClose } from "../../adapters/nats/index.ts";
import { createEventBus, type EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import type { BusOptions, NatsOptions } from "../shared/connect-options.ts";
import { type NatsConnect, openNats, peerMissing } from "../shared/open-nats.ts";

/** Options of {@link connect}. */
export interface ConnectOptions<C extends Catalog = Catalog> extends BusOptions<C, "nats"> {
  /** Opens NATS over WebSocket, by `@nats-io/nats-core`. */
  readonly nats: NatsOptions;
}

/**
 * Opens NATS over WebSocket from a page or worker and returns the bus over it; the bus closes what this opened.
 *
 * @throws EventError `unreachable`, `unauthorized`, `peer-missing` or `invalid-option`.
 *
 * @example
 * ```ts
 * import { connect } from "waybill/browser";
 *
 * const bus = await connect({ source: "/shop/web", nats: { servers: "wss://events.example.com" } });
 * await bus.publish("cart.updated", { items: 3 });
 * ```
 */
export async function connect<C extends Catalog = Catalog>(
  options: ConnectOptions<C>,
): Promise<EventBus<C, Readonly<Record<"nats", Transport>>>> {
  const { nats, ...bus } = options;
  if (typeof WebSocket === "undefined") {
    throw new EventError("unsupported", "this runtime has no WebSocket: Node has one from version 22 on");
  }
  const { wsconnect } = await import("@nats-io/nats-core").catch(peerMissing("@nats-io/nats-core"));
  const wsFactory = async (url: string): Promise<{ socket: WebSocket; encrypted: boolean }> => ({
    socket: promptClose(new WebSocket(url)),
    encrypted: url.startsWith("wss:"),
  });
  const dial = ((given) => wsconnect({ ...given, wsFactory } as never)) as NatsConnect;
  const transports = { nats: await openNats(dial, nats, /^wss?:/) };
  return createEventBus({ ...bus, transports }) as unknown as EventBus<C, Record<"nats", Transport>>;
}
