import type { JetStreamTransportOptions } from "../../adapters/jetstream/index.ts";
import type { Catalog } from "../../core/catalog.ts";
import type { ErrorListener, EventBusOptions, StatusListener } from "../../core/options.ts";
import type { Transport } from "../../core/transport.ts";

/** How to prove who one is to NATS. Nothing of it appears in errors or logs. */
export type NatsCredentials =
  | { readonly token: string }
  | { readonly user: string; readonly password: string }
  /** An nkey's seed (`SU…`): the server knows the public key. */
  | { readonly nkeySeed: string }
  /** A user's JWT, with the seed that signs the server's challenge. */
  | { readonly jwt: string; readonly nkeySeed: string }
  /** What a `.creds` file holds: JWT and seed. */
  | { readonly creds: string };

/** TLS towards a NATS server. A page's browser has its own. */
export interface NatsTlsOptions {
  /** Trusted authorities, PEM. Default: the host's. */
  readonly ca?: string;
  /** Client certificate, PEM. */
  readonly cert?: string;
  /** Key of the client certificate, PEM. */
  readonly key?: string;
}

/** How to reach NATS. */
export interface NatsOptions {
  /** `nats://` or `tls://` on servers, `ws://` or `wss://` in browsers. */
  readonly servers: string | readonly string[];
  /** The client's name at the server. Default: `waybill`. */
  readonly name?: string;
  /** Default: none. Refused ones reject `connect` with `unauthorized`. */
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

/** How to reach NATS over TCP. */
export interface NatsTcpOptions extends NatsOptions {
  /** `true` asks for TLS whatever the server offers. Default: TLS where the server demands it. */
  readonly tls?: boolean | NatsTlsOptions;
}

/** JetStream over the connection that `nats` describes; `true` takes every default. */
export type JetStreamOptions = true | Omit<JetStreamTransportOptions, "connection">;

/** What every runtime's `connect` takes beside its transports: the options of the bus, but for `transports`. */
export interface BusOptions<C extends Catalog, Name extends string>
  extends Omit<EventBusOptions<C, Readonly<Record<Name, Transport>>>, "transports"> {
  /** Gets the bus's errors that no promise carries, from the first one on. */
  readonly onError?: ErrorListener;
  /** Gets every change of a transport, from the first one on. */
  readonly onStatus?: StatusListener;
}
