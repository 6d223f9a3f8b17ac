import { EventError } from "../errors.ts";
import type { OutboxRow } from "./store.ts";

/** A row that could not be published. */
export interface RowFailure {
  readonly row: OutboxRow;
  readonly error: EventError;
}

/**
 * The rows that a relay has: those without a key on their way all at once, of a key one after the other. A row is had
 * until what became of it is written down.
 */
export class RelayRows {
  readonly #publish: (row: OutboxRow) => Promise<void>;
  readonly #settled: () => void;
  readonly #rows = new Map<string, OutboxRow>();
  /** By key, what waits behind the row that is on its way. */
  readonly #behind = new Map<string, OutboxRow[]>();
  readonly #stored = new Set<string>();
  readonly #failed = new Map<string, RowFailure>();

  /** `settled` is called whenever a row was published or was not. */
  constructor(publish: (row: OutboxRow) => Promise<void>, settled: () => void) {
    this.#publish = publish;
    this.#settled = settled;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Whether something is to be written down. */
  get settled(): boolean {
    return this.#stored.size > 0 || this.#failed.size > 0;
  }

  ids(): string[] {
    return [...this.#rows.keys()];
  }

  keys(): string[] {
    const keys = new Set<string>();
    for (const { key } of this.#rows.values()) if (key !== undefined) keys.add(key);
    return [...keys];
  }

  stored(): string[] {
    return [...this.#stored];
  }

  failures(): RowFailure[] {
    return [...this.#failed.values()];
  }

  start(rows: readonly OutboxRow[]): void {
    for (const row of rows) {
      this.#rows.set(row.id, row);
      const behind = row.key === undefined ? undefined : this.#behind.get(row.key);
      if (behind) behind.push(row);
      else {
        if (row.key !== undefined) this.#behind.set(row.key, []);
        void this.#send(row);
      }
    }
  }

  /** Gives back what is not on its way. */
  drop(): void {
    for (const key of this.#behind.keys()) this.#dropBehind(key);
  }

  forget(ids: readonly string[]): void {
    for (const id of ids) {
      this.#rows.delete(id);
      this.#stored.delete(id);
      this.#failed.delete(id);
    }
  }

  async #send(row: OutboxRow): Promise<void> {
    const { id, key } = row;
    try {
      await this.#publish(row);
      this.#stored.add(id);
    } catch (reason) {
      this.#failed.set(id, { row, error: EventError.from(reason) });
      if (key !== undefined) this.#dropBehind(key);
    }
    const next = key === undefined ? undefined : this.#behind.get(key)?.shift();
    if (next) void this.#send(next);
    else if (key !== undefined) this.#behind.delete(key);
    this.#settled();
  }

  #dropBehind(key: string): void {
    for (const { id } of this.#behind.get(key)?.splice(0) ?? []) this.#rows.delete(id);
  }
}
