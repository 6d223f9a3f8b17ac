import { EventError } from "../../core/errors.ts";
import type { TransportStatus } from "../../core/transport.ts";
import { type Denial, denialOf, statusError } from "./errors.ts";
import type { NatsLike, NatsStatusLike } from "./nats-like.ts";

/**
 * Turns of the microtask queue without a status item after which none can be under way. An item pushed by the client
 * follows its predecessor within 2 turns (nats-core) or 5 (nats.ws, whose generators are transpiled).
 */
const QUIET_TURNS = 32;

/** Who listens to a {@link Link}. */
export interface LinkEvents {
  up(): void;
  down(): void;
  closed(reason: unknown): void;
  denied(denial: Denial): void;
}

/** Follows the state of a connection through its `status()` iterator, whichever client it comes from. */
export class Link {
  readonly #connection: NatsLike;
  readonly #events: LinkEvents;
  readonly #listeners = new Set<(status: TransportStatus) => void>();
  #statuses: (AsyncIterable<NatsStatusLike> & { stop?(): void }) | undefined;
  #seen = 0;
  state: "connected" | "disconnected" | "closed";

  constructor(connection: NatsLike, events: LinkEvents) {
    this.#connection = connection;
    this.#events = events;
    this.state = connection.isClosed() ? "closed" : "connected";
    if (this.state === "closed") return;
    void this.#follow();
    void connection.closed().then((reason) => this.#close(reason));
  }

  /** Calls `run` once every status the client has reported so far is known. */
  afterStatuses(run: () => void): void {
    let seen = this.#seen;
    let quiet = 0;
    const turn = (): void => {
      if (seen !== this.#seen) {
        seen = this.#seen;
        quiet = 0;
      }
      if (quiet++ < QUIET_TURNS) queueMicrotask(turn);
      else run();
    };
    turn();
  }

  listen(listener: (status: TransportStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(status: TransportStatus): void {
    for (const listener of this.#listeners) {
      try {
        listener(status);
      } catch (error) {
        // A listener's bug must not stop half-way what reports to it; it still surfaces, as with an EventTarget.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** The client lost the socket. */
  lost(): void {
    if (this.state !== "connected") return;
    this.state = "disconnected";
    this.#events.down();
    this.emit({ type: "disconnected" });
  }

  /** Stops following; the connection stays as it is. */
  stop(): void {
    this.state = "closed";
    // `return()` on a waiting generator would wait for the next item; `stop` takes the listener off at once.
    this.#statuses?.stop?.();
    this.#statuses = undefined;
  }

  async #follow(): Promise<void> {
    this.#statuses = this.#connection.status();
    for await (const status of this.#statuses) {
      this.#seen++;
      if (this.state === "closed") return;
      this.#take(status);
    }
  }

  #take(status: NatsStatusLike): void {
    if (status.type === "disconnect") this.lost();
    else if (status.type === "reconnect") this.#found();
    else if (status.type === "reconnecting") this.emit({ type: "reconnecting" });
    else if (status.type === "staleConnection") this.emit({ type: "stale" });
    else if (status.type === "error") this.#fail(status);
  }

  #found(): void {
    this.state = "connected";
    this.#events.up();
    this.emit({ type: "connected" });
  }

  #fail(status: NatsStatusLike): void {
    const denial = denialOf(status);
    // A refused publish is the outcome of its message, and a refused subscription the failure of its consumer.
    if (denial === undefined) this.emit({ type: "error", error: statusError(status) });
    else this.#events.denied(denial);
  }

  #close(reason: unknown): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#events.closed(reason);
    this.emit(
      reason === undefined
        ? { type: "closed" }
        : { type: "closed", error: new EventError("closed", "nats: the connection closed", { cause: reason }) },
    );
  }
}
