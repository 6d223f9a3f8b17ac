import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Delivery, StateStore } from "../transport.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { redriveHeaders } from "./letter.ts";
import { type LogState, openLogState } from "./log-state.ts";
import { isKnownUpTo, nextFront } from "./parked-front.ts";

/** The keys of a group whose later events follow one that failed. */
export interface ParkedKeys {
  /** Whether the event of this delivery has to follow. */
  holds(delivery: Delivery): Promise<boolean>;
  /**
   * An event of the key is about to be set aside: what comes after it follows. `failed`: it failed by itself, and did
   * not follow another.
   */
  park(delivery: Delivery, key: string, failed: boolean): Promise<Parking>;
  /** Everything up to that letter was redriven. The key is free unless something followed since. */
  release(delivery: Delivery, letter: string): Promise<void>;
}

/** An event that is about to follow, or to be followed. */
export interface Parking {
  /** Goes with its letter, so that who reads that knows it: see `parked-front.ts`. */
  readonly front: string;
  /** It is stored as that letter. */
  stored(letter: string): Promise<void>;
}

/** What is kept of a parked key. */
interface Parked {
  /** The last letter of the key. */
  readonly last: string;
  /** As that letter has it. A copy that was sent without knowing of all before it follows. */
  readonly front: string;
}

/** A record as it was read. None is kept here: every event of every key is looked at. */
interface Read {
  readonly parked: Parked | undefined;
  /** Where the store counts them. */
  readonly revision: number;
}

/** Written by who has the key's lane alone. */
interface Records {
  get(key: string, delivery: Delivery): Promise<Read>;
  set(key: string, parked: Parked | undefined, before: Read): Promise<void>;
}

/** Opens what is known of the parked keys of a group; the record of a key is kept beside the letters. */
export async function openParkedKeys(
  { router }: Environment,
  letters: DeadLetters,
  { transport: name, group }: { readonly transport: string; readonly group: string },
): Promise<ParkedKeys> {
  const source = router.transport(name);
  const records = source.openState ? byStore(await source.openState("waybill-parked")) : await byLog(letters);

  const nameOf = ({ message: { destination } }: Delivery, key: string): string =>
    `park.${fingerprint([group, destination, key].join("\n"))}`;

  return {
    async holds(delivery) {
      const { key, headers } = delivery.message;
      if (key === undefined) return false;
      const { parked } = await records.get(nameOf(delivery, key), delivery);
      if (!parked) return false;
      return !isKnownUpTo(headers.get(redriveHeaders.front), parked.front, delivery);
    },
    async park(delivery, key, failed) {
      const entry = nameOf(delivery, key);
      const before = await records.get(entry, delivery);
      const front = nextFront(before.parked?.front, delivery, failed);
      return { front, stored: (letter) => records.set(entry, { last: letter, front }, before) };
    },
    async release(delivery, letter) {
      const { key } = delivery.message;
      if (key === undefined) return;
      const entry = nameOf(delivery, key);
      const before = await records.get(entry, delivery);
      if (before.parked?.last === letter) await records.set(entry, undefined, before);
    },
  };
}

function byStore(store: StateStore): Records {
  return {
    async get(key) {
      const entry = await store.get(key);
      return { parked: entry && (JSON.parse(entry.value) as Parked), revision: entry?.revision ?? 0 };
    },
    async set(key, parked, { revision }) {
      const done = parked
        ? await store.put(key, JSON.stringify(parked), revision)
        : (await store.delete(key, revision)) || undefined;
      // Another member has the lane by now; the event comes again, and what is known then decides.
      if (done === undefined) throw new EventError("fenced", "another member parks this key", { retryable: true });
    },
  };
}

async function byLog(letters: DeadLetters): Promise<Records> {
  const { transport, destinations } = letters;
  if (!transport.read) throw new EventError("unsupported", `transport "${letters.transportName}" cannot park keys`);
  const state: LogState = await openLogState(transport, destinations[0]!);
  /** Lanes whose earlier owners' records were read. */
  const seen = new WeakMap<AbortSignal, Promise<void>>();
  return {
    async get(key, { signal }) {
      let reading = seen.get(signal);
      if (!reading) {
        reading = state.refresh();
        seen.set(signal, reading);
        reading.catch(() => seen.delete(signal));
      }
      await reading;
      const value = state.get(key);
      return { parked: value === undefined ? undefined : (JSON.parse(value) as Parked), revision: 0 };
    },
    set: (key, parked) => state.put(key, parked ? JSON.stringify(parked) : null),
  };
}
