import type { Catalog } from "../../core/catalog.ts";
import type { EventBusOptions } from "../../core/options.ts";
import type { Transport } from "../../core/transport.ts";

/** How to prove who one is to NATS. Nothing of it appears in errors or logs. */
export type NatsCredentials = { readonly token: string } | { readonly user: string; readonly password: string };

/** How to reach NATS. */
export interface NatsOptions {
  /** `nats://` or `tls://` on servers, `ws://` or `wss://` in browsers. */
  readonly servers: string | readonly string[];
  /** The client's name at the server. Default: `waybill`. */
  readonly name?: string;
  readonly credentials?: NatsCredentials;
  /** Pause between attempts to reconnect, which go on for ever. Default: 2,000. */
  readonly reconnectWaitMs?: number;
  /** Pings as often; two that stay unanswered replace the socket. Default: 10,000. */
  readonly heartbeatMs?: number;
  /** Deadline of the first connect. Default: 5,000. */
  readonly connectTimeoutMs?: number;
  /** Gives up the first connect with code `aborted`. */
  readonly signal?: AbortSignal;
}

/** What every runtime's `connect` takes beside its transports: the options of the bus, but for `transports`. */
export type BusOptions<C extends Catalog, Name extends string> = Omit<
  EventBusOptions<C, Readonly<Record<Name, Transport>>>,
  "transports"
>;
