import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Delivery, StateStore } from "../transport.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { redriveHeaders } from "./letter.ts";
import { type LogState, openLogState } from "./log-state.ts";

/** The keys of a group whose later events follow one that failed. */
export interface ParkedKeys {
  /** Whether the event of this delivery has to follow. */
  holds(delivery: Delivery): Promise<boolean>;
  /** An event of the key is set aside as that letter: what comes after it follows. */
  park(delivery: Delivery, key: string, letter: string): Promise<void>;
  /** Everything up to that letter was redriven. The key is free unless something followed since. */
  release(delivery: Delivery, letter: string): Promise<void>;
}

/** What is kept of a parked key. */
interface Parked {
  /** The last letter of the key. */
  readonly last: string;
  /** Runs of redriving of which a copy failed: what lies behind it in such a run follows again. */
  readonly failedRuns: readonly string[];
}

/** Written by who has the key's lane alone. */
interface Records {
  get(key: string, delivery: Delivery): Promise<Parked | undefined>;
  set(key: string, parked: Parked | undefined): Promise<void>;
}

const keptRuns = 16;

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
      const parked = await records.get(nameOf(delivery, key), delivery);
      if (!parked) return false;
      const run = headers.get(redriveHeaders.run);
      return run === undefined || parked.failedRuns.includes(run);
    },
    async park(delivery, key, letter) {
      const entry = nameOf(delivery, key);
      const before = await records.get(entry, delivery);
      const run = delivery.message.headers.get(redriveHeaders.run);
      const failedRuns = before?.failedRuns ?? [];
      await records.set(entry, {
        last: letter,
        failedRuns: run === undefined || failedRuns.includes(run) ? failedRuns : [...failedRuns, run].slice(-keptRuns),
      });
    },
    async release(delivery, letter) {
      const { key } = delivery.message;
      if (key === undefined) return;
      const entry = nameOf(delivery, key);
      const parked = await records.get(entry, delivery);
      if (parked?.last === letter) await records.set(entry, undefined);
    },
  };
}

function byStore(store: StateStore): Records {
  const revisions = new Map<string, number>();
  return {
    async get(key) {
      const entry = await store.get(key);
      revisions.set(key, entry?.revision ?? 0);
      return entry && (JSON.parse(entry.value) as Parked);
    },
    async set(key, parked) {
      const revision = revisions.get(key) ?? 0;
      revisions.delete(key);
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
      return value === undefined ? undefined : (JSON.parse(value) as Parked);
    },
    set: (key, parked) => state.put(key, parked ? JSON.stringify(parked) : null),
  };
}
