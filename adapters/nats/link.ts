import type { EventError } from "../../core/errors.ts";
import type { TransportStatus } from "../../core/transport.ts";
import { closedError, denialOf, natsError } from "./errors.ts";
import type { NatsLike, NatsStatusLike } from "./nats-like.ts";

/** Follows the state of a connection through its `status()` iterator, whichever client it comes from. */
export interface Link {
  readonly state: "connected" | "disconnected" | "closed";
  /** Returns a function that stops the listening. */
  listen(listener: (status: TransportStatus) => void): () => void;
  emit(status: TransportStatus): void;
  /** The client lost the socket. */
  lost(): void;
  /** Stops following; the connection stays as it is. */
  close(reason?: unknown): void;
  /** Resolves once every status the client has reported so far is known. */
  afterStatuses(): Promise<void>;
}

/** Makes a link; `refused` hears of every publish that the server refused. */
export function createLink(connection: NatsLike, refused: (subject: string, error: EventError) => void): Link {
  const listeners = new Set<(status: TransportStatus) => void>();
  let state: Link["state"] = "connected";
  let statuses: (AsyncIterable<NatsStatusLike> & { stop?(): void }) | undefined;
  let seen = 0;

  const emit = (status: TransportStatus): void => {
    for (const listener of listeners) {
      try {
        listener(status);
      } catch (error) {
        // A listener's bug must not stop half-way what reports to it; it still surfaces, as with an EventTarget.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };

  const lost = (): void => {
    if (state !== "connected") return;
    state = "disconnected";
    emit({ type: state });
  };

  const close = (reason?: unknown): void => {
    if (state === "closed") return;
    state = "closed";
    // `return()` on a waiting generator would wait for the next item; `stop` takes the listener off at once.
    statuses?.stop?.();
    emit(reason ? { type: state, error: closedError(reason) } : { type: state });
  };

  const follow = async (): Promise<void> => {
    statuses = connection.status();
    for await (const status of statuses) {
      const { type } = status;
      seen++;
      if (state === "closed") return;
      if (type === "disconnect") lost();
      if (type === "reconnect") {
        state = "connected";
        emit({ type: state });
      }
      if (type === "reconnecting") emit({ type });
      if (type === "staleConnection") emit({ type: "stale" });
      if (type === "error") {
        const error = natsError(status.error ?? status, "connection");
        const denial = denialOf(status);
        // A refused publish is the outcome of its message, and a refused subscription the failure of its consumer.
        if (!denial) emit({ type, error });
        else if (denial.operation === "publish") refused(denial.subject, error);
      }
    }
  };

  if (connection.isClosed()) {
    state = "closed";
  } else {
    void follow();
    void connection.closed().then(close);
  }

  return {
    get state() {
      return state;
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    emit,
    lost,
    close,
    async afterStatuses() {
      // Turns of the microtask queue without a status item after which none can be under way. An item pushed by the
      // client follows its predecessor within 2 turns (nats-core) or 5 (nats.ws, whose generators are transpiled).
      const quietTurns = 32;
      let last = seen;
      for (let quiet = 0; quiet < quietTurns; quiet++) {
        await undefined;
        if (last !== seen) quiet = 0;
        last = seen;
      }
    },
  };
}
