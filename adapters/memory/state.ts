import type { Clock } from "../../core/clock.ts";
import { EventError } from "../../core/errors.ts";
import type { StateEntry, StateOptions, StateStore } from "../../core/transport.ts";

interface Written extends StateEntry {
  readonly atMs: number;
}

const namePattern = /^[\w-]{1,200}$/;
const keyPattern = /^(?=.{1,1000}$)[\w=-]+(\.[\w=-]+)*$/;

/** The stores of a memory transport: one of each name, the same for everyone who opens it. */
export class States {
  readonly #clock: Clock;
  readonly #checkOpen: () => void;
  readonly #stores = new Map<string, { readonly store: StateStore; readonly ttlMs: number | undefined }>();

  constructor(clock: Clock, checkOpen: () => void) {
    this.#clock = clock;
    this.#checkOpen = checkOpen;
  }

  /** Throws `invalid-option`, and `configuration-mismatch` where the store has another `ttlMs`. */
  open(name: string, { ttlMs }: StateOptions = {}): StateStore {
    this.#checkOpen();
    if (!namePattern.test(name)) throw refused(`${JSON.stringify(name).slice(0, 80)} is no name of a store`);
    if (ttlMs !== undefined && !(ttlMs >= 1)) throw refused(`ttlMs must be 1 or more, not ${ttlMs}`);
    const known = this.#stores.get(name);
    if (known && known.ttlMs !== ttlMs) {
      const text = `memory: the store ${name} has ttlMs ${known.ttlMs ?? "unset"}, wanted is ${ttlMs ?? "unset"}`;
      throw new EventError("configuration-mismatch", text);
    }
    const store = known?.store ?? this.#make(ttlMs ?? Number.POSITIVE_INFINITY);
    if (!known) this.#stores.set(name, { store, ttlMs });
    return store;
  }

  #make(ttlMs: number): StateStore {
    const clock = this.#clock;
    /** The one that was written longest ago first. */
    const entries = new Map<string, Written>();
    let revisions = 0;
    /** Forgets what is over; the entry of the key. */
    const look = (key: string): Written | undefined => {
      this.#checkOpen();
      if (!keyPattern.test(key)) throw refused(`${JSON.stringify(key).slice(0, 80)} is no key`);
      forget();
      return entries.get(key);
    };
    const forget = (): void => {
      for (const [key, { atMs }] of entries) {
        if (atMs + ttlMs > clock.now()) return;
        entries.delete(key);
      }
    };
    const checkOpen = this.#checkOpen;
    return {
      async get(key) {
        const found = look(key);
        return found && { value: found.value, revision: found.revision };
      },
      async put(key, value, revision) {
        if ((look(key)?.revision ?? 0) !== revision) return undefined;
        entries.delete(key);
        entries.set(key, { value, revision: ++revisions, atMs: clock.now() });
        return revisions;
      },
      async delete(key, revision) {
        if (look(key)?.revision === revision) entries.delete(key);
        return !entries.has(key);
      },
      async *entries() {
        checkOpen();
        forget();
        for (const [key, { value, revision }] of [...entries]) yield { key, value, revision };
      },
    };
  }
}

function refused(text: string): EventError {
  return new EventError("invalid-option", `memory: ${text}`);
}
