import { EventError } from "../../core/errors.ts";
import { NatsEngine } from "../embedded-nats/engine.ts";
import { type MockedSocket, serveMockedSocket } from "./mocked-socket.ts";

/** Options of {@link natsHandler}. */
export interface NatsHandlerOptions {
  /**
   * The broker behind the handler: keep it to see who is connected and subscribed, to publish from the test, and to cut
   * connections. Default: a new one for every handler.
   */
  readonly engine?: NatsEngine | undefined;
}

/**
 * A WebSocket handler for msw with a core NATS broker in memory behind it: tests of a frontend need no server. Give it to
 * `setupServer` in Node or to `setupWorker` in a page; every WebSocket to `url` then talks to the broker.
 *
 * Returns a promise because msw, an optional peer, is loaded only here. `Handler` is msw's type of a handler, which
 * TypeScript takes from the place where the result goes.
 *
 * On Node 20 set `globalThis.WebSocket` to the class of the package `ws` before `server.listen()`.
 *
 * @param url As in msw's `ws.link`: `ws://` or `wss://`, or a pattern that begins with `*`.
 * @throws EventError `invalid-option` for another URL, `peer-missing` without msw.
 *
 * @example
 * ```ts
 * import { setupServer } from "msw/node";
 * import { connect } from "waybill/browser";
 * import { NatsEngine, natsHandler } from "waybill/testing";
 *
 * const engine = new NatsEngine();
 * const server = setupServer(await natsHandler("ws://localhost:9222", { engine }));
 * server.listen();
 *
 * const page = await connect({ source: "/shop/web", nats: { servers: "ws://localhost:9222" } });
 * await page.subscribe("price.changed", (event) => console.log(event.data));
 * console.log(engine.connections, engine.subscriptions); // 1 [{ subject: "price.changed", queue: "" }]
 * engine.disconnectAll(); // the page reconnects
 * ```
 */
export async function natsHandler<Handler>(
  url: string,
  { engine = new NatsEngine() }: NatsHandlerOptions = {},
): Promise<Handler> {
  if (!/^(wss?:\/\/|\*)/i.test(url)) {
    throw new EventError("invalid-option", "natsHandler: url has to begin with ws://, wss:// or *");
  }
  let msw: typeof import("msw");
  try {
    msw = await import("msw");
  } catch (cause) {
    throw new EventError("peer-missing", "natsHandler: msw is not installed: npm install --save-dev msw", { cause });
  }
  const handler = msw.ws.link(url).addEventListener("connection", ({ client }) => {
    serveMockedSocket(engine, client as MockedSocket);
  });
  // Our declarations name no vendor's class: they have to compile without it.
  return handler as Handler;
}
