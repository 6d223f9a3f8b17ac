/** The part of a WebSocket {@link promptClose} touches. */
export interface ClosableSocket {
  /** Begins the close handshake. Replaced by one that also calls `onclose`, at once. */
  close(code?: number, reason?: string): void;
  /** Called for `error` alone, so that one at the end of a socket is never unhandled. */
  // biome-ignore lint/suspicious/noExplicitAny: as below
  addEventListener(type: any, listener: any): void;
  /** Whom to tell of the end: called with code 1006 and then taken off, so that it hears of it once. */
  // biome-ignore lint/suspicious/noExplicitAny: browsers, `ws` and undici each type their events differently
  onclose: ((event: any) => any) | null;
  /** Taken off by `close`: what still arrives belongs to no connection. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onmessage: ((event: any) => any) | null;
  /** Taken off by `close`: nobody waits for this socket any more. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onerror: ((event: any) => any) | null;
}

/**
 * Makes `close()` of a WebSocket report the end at once. `wsconnect` waits for the peer's close handshake before it
 * dials again, which a half-open socket never answers: Chromium gives up after 60 s, the package `ws` after 30 s.
 *
 * @returns The same socket.
 *
 * @example
 * ```ts
 * import { wsconnect } from "@nats-io/nats-core";
 * import { promptClose } from "waybill/nats";
 *
 * const connection = await wsconnect({
 *   servers: "wss://events.example.com",
 *   wsFactory: async (url) => ({ socket: promptClose(new WebSocket(url)), encrypted: url.startsWith("wss:") }),
 * });
 * ```
 */
export function promptClose<T extends ClosableSocket>(socket: T): T {
  const close = socket.close.bind(socket);
  socket.close = (code?: number, reason?: string): void => {
    const tell = socket.onclose;
    // `ws` reports a close before the connection was open as an error, which would crash without a listener. Not
    // `onerror`: the client clears that.
    socket.addEventListener("error", () => undefined);
    // With arguments only where given: some sockets refuse an explicit undefined.
    if (code === undefined) close();
    else close(code, reason);
    socket.onerror = null;
    socket.onclose = null;
    socket.onmessage = null;
    tell?.call(socket, { wasClean: false, reason: "", code: 1006 });
  };
  return socket;
}
