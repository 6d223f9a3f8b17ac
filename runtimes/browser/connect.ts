import { promptClose } from "../../adapters/nats/index.ts";
import type { EventBus } from "../../core/bus.ts";
import type { Catalog } from "../../core/catalog.ts";
import { EventError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import type { BusOptions, JetStreamOptions, NatsOptions } from "../shared/connect-options.ts";
import { openBus } from "../shared/open-bus.ts";
import { type NatsVendor, openNats, peerMissing } from "../shared/open-nats.ts";

/** The transports that `connect` may open in a page. */
export type BrowserTransport = "nats" | "jetstream";

/** Options of {@link connect}. */
export interface ConnectOptions<C extends Catalog = Catalog> extends BusOptions<C, BrowserTransport> {
  /** Opens NATS over WebSocket, by `@nats-io/nats-core`. */
  readonly nats: NatsOptions;
  /** JetStream beside core NATS, over the same connection. Its code is loaded only when this is given. */
  readonly jetstream?: JetStreamOptions | undefined;
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
): Promise<EventBus<C, Readonly<Record<BrowserTransport, Transport>>>> {
  const { nats, jetstream, ...bus } = options;
  if (typeof WebSocket === "undefined") {
    throw new EventError("unsupported", "this runtime has no WebSocket: Node has one from version 22 on");
  }
  const open = async () => openNats(await websocketClient(), nats, /^wss?:/, { wsFactory });
  return openBus(bus, { nats: open, jetstream });
}

async function websocketClient(): Promise<NatsVendor> {
  try {
    const core = await import("@nats-io/nats-core");
    return { ...core, connect: core.wsconnect } as unknown as NatsVendor;
  } catch (cause) {
    throw peerMissing("@nats-io/nats-core", cause);
  }
}

async function wsFactory(url: string): Promise<{ socket: WebSocket; encrypted: boolean }> {
  return { socket: promptClose(new WebSocket(url)), encrypted: url.startsWith("wss:") };
}
