import type { NatsLike } from "./nats-like.ts";

/** Where every known client keeps its socket. Not part of its public interface: each step may be missing. */
interface Innards {
  readonly protocol?: { readonly transport?: { readonly socket?: Breakable | null } };
}

interface Breakable {
  destroy?(): unknown;
  terminate?(): unknown;
  close?(): unknown;
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
    const socket = (connection as Innards).protocol?.transport?.socket;
    if (typeof socket?.destroy === "function") socket.destroy();
    else if (typeof socket?.terminate === "function") socket.terminate();
    else socket?.close?.();
  } catch {
    // A socket that refuses to break leaves things as they were: the next stall tries again.
  }
}
