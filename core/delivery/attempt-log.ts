import { EventError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Delivery, StateStore } from "../transport.ts";
import { type LetterReason, maxMessageLength } from "./letter.ts";
import type { Failures } from "./retry-policy.ts";

/** An event whose process died so many times as often as it may fail is not tried again. */
export const crashLoop = 3;

/** What became of the attempts at one message so far. */
export interface AttemptRecord extends Failures {
  /** The last failure, for who has to give up without a new one. */
  readonly code: string;
  readonly message: string;
  readonly lastMs: number;
  /** Attempts that began and ended neither well nor badly: their process died. Only redeliveries are counted. */
  readonly crashes: number;
  /** Set where only the dead letter is missing: it could not be stored. */
  readonly gaveUp?: LetterReason | undefined;
}

/** Counts failures, not deliveries: brokers also count what was given back, taken away or lost with its process. */
export interface AttemptLog {
  /**
   * Called before the handler: what is known, with this attempt counted as a crash until something else is said.
   * Undefined for a first attempt. A promise only where another process may know more.
   */
  begin(delivery: Delivery, attempt: number): AttemptRecord | undefined | Promise<AttemptRecord | undefined>;
  /** It comes again, and this is what is known by now. */
  again(delivery: Delivery, attempt: number, record: AttemptRecord): void | Promise<void>;
  /** It does not come again. */
  over(delivery: Delivery): void;
  /** The lane is gone, and what was known of it with it. */
  forget(lane: string): void;
}

/** Beyond this the oldest is forgotten; where state is shared it can be looked up again. */
const maxKnown = 65_536;
/** Of what failed never, as far as known. */
export const noAttempts: AttemptRecord = { count: 0, firstMs: 0, lastMs: 0, code: "", message: "", crashes: 0 };

interface Known {
  readonly attempt: number;
  readonly record: AttemptRecord;
}

/** A record after one more failure. */
export function failedAgain(
  { count, firstMs, crashes }: AttemptRecord,
  { code, message }: EventError,
  nowMs: number,
): AttemptRecord {
  return {
    count: count + 1,
    firstMs: count === 0 ? nowMs : firstMs,
    lastMs: nowMs,
    code,
    // It travels in a header and lies in a store: both have limits, and an error may quote a whole document.
    message: message.slice(0, maxMessageLength),
    crashes,
  };
}

/** The last time that a date can tell. */
const lastTimeMs = 8_640_000_000_000_000;

/** Reads the JSON of a record; undefined for what is none. */
export function readRecord(text: string): AttemptRecord | undefined {
  let given: Partial<Record<keyof AttemptRecord, unknown>> | null;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { count, firstMs, lastMs, crashes, code, message, gaveUp } = given ?? {};
  if (![count, crashes, firstMs, lastMs].every((each) => Number.isInteger(each) && (each as number) >= 0))
    return undefined;
  if ((firstMs as number) > lastTimeMs || (lastMs as number) > lastTimeMs) return undefined;
  if (typeof code !== "string" || typeof message !== "string") return undefined;
  return gaveUp === undefined || typeof gaveUp === "string" ? (given as AttemptRecord) : undefined;
}

/**
 * Makes the log of a group. `open` gives the store that its members share, where the transport has one; without it a
 * message that another member tried counts the broker's attempts. What the store cannot tell is reported and taken for
 * no failure, since giving up too late loses nothing.
 */
export function createAttemptLog(
  group: string | undefined,
  open: (() => Promise<StateStore>) | undefined,
  report: (error: unknown) => void,
): AttemptLog {
  const known = new Map<string, Known>();
  let opening: Promise<StateStore> | undefined;

  const nameOf = ({ lane, position }: Delivery): string => `${lane}\n${position}`;
  const keyOf = (delivery: Delivery): string => fingerprint(`${group}\n${nameOf(delivery)}`);

  function store(): Promise<StateStore> {
    opening ??= open!().catch((reason) => {
      opening = undefined;
      throw reason;
    });
    return opening;
  }

  function remember(delivery: Delivery, attempt: number, record: AttemptRecord): void {
    const name = nameOf(delivery);
    known.delete(name);
    if (known.size >= maxKnown) known.delete(known.keys().next().value!);
    known.set(name, { attempt, record });
  }

  async function share(delivery: Delivery, record: AttemptRecord): Promise<void> {
    try {
      const state = await store();
      const key = keyOf(delivery);
      const entry = await state.get(key);
      await state.put(key, JSON.stringify(record), entry?.revision ?? 0);
    } catch (reason) {
      report(reason);
    }
  }

  async function lookUp(delivery: Delivery, attempt: number, local: AttemptRecord | undefined): Promise<AttemptRecord> {
    let record = local;
    try {
      if (!record) {
        const entry = await (await store()).get(keyOf(delivery));
        record = entry ? readRecord(entry.value) : noAttempts;
        if (!record) throw new EventError("malformed-message", "the record of an event's attempts is none");
      }
    } catch (reason) {
      report(reason);
      record = noAttempts;
    }
    remember(delivery, attempt, record);
    await share(delivery, { ...record, crashes: record.crashes + 1 });
    return record;
  }

  return {
    begin(delivery, attempt) {
      if (attempt === 1) return undefined;
      const before = known.get(nameOf(delivery));
      // Another member may have tried it in between.
      const record = before?.attempt === attempt - 1 ? before.record : undefined;
      if (open) return lookUp(delivery, attempt, record);
      return record ?? { ...noAttempts, count: attempt - 1 };
    },
    again(delivery, attempt, record) {
      remember(delivery, attempt, record);
      return open && share(delivery, record);
    },
    over(delivery) {
      if (known.size === 0 || !known.delete(nameOf(delivery)) || !open) return;
      const key = keyOf(delivery);
      void store()
        .then(async (state) => {
          const entry = await state.get(key);
          if (entry) await state.delete(key, entry.revision);
        })
        .catch(report);
    },
    forget(lane) {
      for (const name of known.keys()) if (name.startsWith(`${lane}\n`)) known.delete(name);
    },
  };
}
