import type { NatsLike } from "./nats-like.ts";

type End = () => unknown;

/** Where every known client keeps its socket. Not part of its public interface: each step may be missing. */
interface Innards {
  readonly protocol: { readonly transport: { readonly socket: { destroy?: End; terminate?: End; close: End } } };
}

/**
 * The last resort against a dead socket. `reconnect()` of every client first waits until what it wrote has left the
 * process; once the send buffers of a half-open connection are full that never happens, and the client would hang
 * until the kernel gives up (about 15 minutes on Linux). Breaking the socket under it makes it dial again.
 *
 * Does nothing where a client keeps its socket elsewhere.
 */
export function breakSocket(connection: NatsLike): void {
  try {
    const { socket } = (connection as unknown as Innards).protocol.transport;
    (socket.destroy ?? socket.terminate ?? socket.close).call(socket);
  } catch {
    // A socket that refuses to break leaves things as they were: the next stall tries again.
  }
}
