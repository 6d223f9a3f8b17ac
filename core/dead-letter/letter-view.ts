import { decodeMessage } from "../codec/detect.ts";
import { withoutGuideMembers } from "../delivery/guide-letter.ts";
import { type LetterFacts, type LetterReason, originalHeaders, readLetter } from "../delivery/letter.ts";
import type { CloudEvent } from "../event.ts";
import type { Limits } from "../limits.ts";
import type { HeaderCarrier, HeaderEntries, IncomingMessage } from "../message.ts";
import type { HeaderBinding } from "../transport.ts";

/**
 * What became of a letter. `waiting`: nothing yet. `redriving`: a run has it, or died with it. `redriven`: its copy is
 * stored. `parked`: set aside by an operator. `discarded`: given up by an operator. `uncertain`: a run died with it so
 * long ago that nobody can tell whether its copy was stored.
 */
export type LetterStatus = "waiting" | "redriving" | "redriven" | "parked" | "discarded" | "uncertain";

/** What an operator or a run noted of a letter. */
export interface LetterNote {
  readonly status: Exclude<LetterStatus, "waiting" | "uncertain">;
  /** Unix milliseconds. */
  readonly atMs: number;
  /** When the first try of this redrive began, in unix milliseconds. */
  readonly sinceMs?: number | undefined;
  readonly run?: string | undefined;
  /**
   * Of a run that has a letter: where its copy goes, if the same copy is recognised there. Undefined: it is not, and
   * once that run is dead nobody can tell whether the copy is stored.
   */
  readonly target?: string | undefined;
  /** Of the last letter of a parked key: its group was told that the key is free. */
  readonly released?: true | undefined;
  readonly reason?: string | undefined;
}

/** An event that failed, as it was set aside. */
export interface Letter {
  /** The same for every copy of the letter, and unique among letters. */
  readonly id: string;
  /** The event; undefined where the message cannot be read as one. */
  readonly event: CloudEvent | undefined;
  /** The message as it was, without what Waybill added: headers flat (name, value, name, value), and its body. */
  readonly raw: { readonly headers: HeaderEntries; readonly body: Uint8Array | null };
  /** Why it is here. */
  readonly reason: LetterReason;
  /** What it failed with at last: the name of the error's class, or a code of Waybill's. */
  readonly error: { readonly type: string; readonly message: string };
  /** Where the event was when it failed. */
  readonly origin: {
    /** The name of the transport. */
    readonly transport: string;
    readonly destination: string;
    /** In the words of the transport, such as a stream or a topic with its partition. */
    readonly lane: string;
    readonly position: string;
  };
  /** The group that failed. */
  readonly group: string | undefined;
  /** The ordering key. */
  readonly key: string | undefined;
  /** How often it failed. */
  readonly attempts: number;
  /** RFC 3339. */
  readonly firstFailedAt: string;
  /** RFC 3339. */
  readonly lastFailedAt: string;
  /** How often it was redriven before it came here. */
  readonly redrives: number;
  /** W3C trace context of where it was set aside. */
  readonly traceparent: string | undefined;
  /** What became of it. */
  readonly status: LetterStatus;
  /** What an operator gave as the reason for its status. */
  readonly note: string | undefined;
  /** Where it stands among the letters: `after` of a list takes it. */
  readonly cursor: string;
}

/** A letter with what is needed to send it. */
export interface StoredLetter {
  readonly letter: Letter;
  /** The queue's destination where it is stored. */
  readonly place: string;
  readonly facts: LetterFacts;
  /** All headers, those that Waybill added included. */
  readonly carrier: HeaderCarrier;
}

/** Reads a letter that is stored in a place; undefined for a message that is none. */
export function toLetter(
  message: IncomingMessage,
  place: string,
  cursor: string,
  binding: HeaderBinding,
  limits: Limits,
): StoredLetter | undefined {
  const facts = readLetter(message);
  if (!facts) return undefined;
  const event = readEvent(message, binding, limits, facts.dialect === "guide");
  const partitionkey = event?.extensions.partitionkey;
  return {
    facts,
    place,
    carrier: message.headers,
    letter: {
      id: facts.id,
      event,
      raw: { headers: originalHeaders(message.headers), body: message.body },
      reason: facts.reason,
      error: { type: facts.errorType, message: facts.errorMessage },
      origin: {
        transport: facts.transport,
        destination: facts.destination,
        lane: facts.originLane,
        position: facts.originPosition,
      },
      group: facts.group,
      key: message.key ?? (partitionkey === undefined ? undefined : String(partitionkey)),
      attempts: facts.attempts,
      firstFailedAt: facts.firstFailedAt,
      lastFailedAt: facts.lastFailedAt,
      redrives: facts.redrives,
      traceparent: facts.traceparent,
      status: "waiting",
      note: undefined,
      cursor,
    },
  };
}

function readEvent(
  message: IncomingMessage,
  binding: HeaderBinding,
  limits: Limits,
  guide: boolean,
): CloudEvent | undefined {
  try {
    // The letter's own headers may take it beyond the limits that the event kept.
    const wide = { ...limits, maxHeaders: limits.maxHeaders + 64, maxHeaderBytes: limits.maxHeaderBytes + 16_384 };
    const event = decodeMessage(message, binding, wide);
    return guide ? Object.freeze({ ...event, data: withoutGuideMembers(event.data) }) : event;
  } catch {
    return undefined;
  }
}
