import type { EventError } from "../../core/errors.ts";
import type { TransportHealth, TransportStatus } from "../../core/transport.ts";

/** Puts the states of the single clients together to the transport's, and tells who listens. */
export class StatusBoard {
  readonly #listeners = new Set<(status: TransportStatus) => void>();
  readonly #clients = new Map<object, boolean>();
  /** Whether the listeners were told "connected" last. */
  #told = false;
  #closed = false;

  /** Connected while no client is known to be cut off: a client connects when it is first needed. */
  get state(): TransportHealth["state"] {
    if (this.#closed) return "closed";
    return [...this.#clients.values()].includes(false) ? "disconnected" : "connected";
  }

  listen(listener: (status: TransportStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  connected(client: object): void {
    this.#clients.set(client, true);
    if (this.#told || this.state !== "connected") return;
    this.#told = true;
    this.#tell({ type: "connected" });
  }

  disconnected(client: object, error: EventError): void {
    const before = this.state;
    this.#clients.set(client, false);
    this.#told = false;
    if (before === "connected") this.#tell({ type: "disconnected", error });
  }

  error(error: EventError): void {
    this.#tell({ type: "error", error });
  }

  /** The client is gone on purpose: its state says nothing about the transport any more. */
  forget(client: object): void {
    this.#clients.delete(client);
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tell({ type: "closed" });
  }

  #tell(status: TransportStatus): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(status);
      } catch {
        // A listener's own failure must not reach the client's callbacks.
      }
    }
  }
}
