import type { EventError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import type { HeaderCarrier, IncomingMessage } from "../message.ts";
import type { Delivery } from "../transport.ts";
import type { AttemptRecord } from "./attempt-log.ts";

/** Why an event was set aside. */
export type LetterReason =
  /** It failed as often as the policy allows, or for as long. */
  | "attempts-exhausted"
  /** The handler's error says that trying again is of no use. */
  | "not-retryable"
  /** The message is no event. */
  | "unreadable"
  /** Its data does not fit the schema. */
  | "invalid"
  /** The handler asked for it: `delivery.deadLetter`. */
  | "requested"
  /** Process after process died while it was handled. */
  | "crash-loop"
  /** The broker gave it up after its own number of deliveries. */
  | "max-deliveries"
  /** Someone told the broker to give it up. */
  | "terminated"
  /** An earlier event of its key is set aside, and `onKey` is `park`. */
  | "parked";

/** What a dead letter tells beside the message. */
export interface LetterFacts {
  /** The same for every copy of the letter: made of group, transport, destination and position. */
  readonly id: string;
  readonly reason: LetterReason;
  /** An error code of Waybill, else the name of the error's class. */
  readonly errorType: string;
  readonly errorMessage: string;
  /** The name of the transport by which it came. */
  readonly transport: string;
  readonly destination: string;
  /** In the words of the transport. */
  readonly lane: string;
  readonly position: string;
  /** Undefined: a subscription without a group. */
  readonly group: string | undefined;
  /** How often it failed. */
  readonly attempts: number;
  /** RFC 3339. */
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  /** How often it was redriven before. */
  readonly redrives: number;
  /** Lane and position of its first occurrence: they tell the order of what was redriven before. */
  readonly originLane: string;
  readonly originPosition: string;
  /** The key, where `onKey` is `park`. */
  readonly parkedKey: string | undefined;
  /** Of a parked key: how far it has gone, this letter included. See `parked-front.ts`. */
  readonly front: string | undefined;
  /** W3C trace context of the span that set it aside. */
  readonly traceparent: string | undefined;
  /** `guide`: the body is the guide's form of a dead letter. */
  readonly dialect: string | undefined;
}

/** Begins the names of headers that a letter has beside those of the message. */
export const letterPrefix = "waybill-dlq-";
/** Begins the names of headers of the message that brokers, or Waybill itself, would take for their own. */
export const originalPrefix: string = `${letterPrefix}original-`;
/** What a redriven copy carries. */
export const redriveHeaders = {
  /** The one group that takes the copy. */
  group: "waybill-only-group",
  /** How often the event was redriven, this time included. */
  count: "waybill-redrive-count",
  /** Lane and position of the event's first occurrence. */
  originLane: "waybill-redrive-origin-lane",
  originPosition: "waybill-redrive-origin-position",
  /** The letter that the copy was made of. */
  letter: "waybill-redrive-letter",
  /** Of a parked key: how far it had gone when the copy was sent. */
  front: "waybill-redrive-front",
  /** Not an event: everything of the key up to this letter was redriven. */
  release: "waybill-redrive-release",
} as const;

/** Headers that mean something to a broker or to Waybill, and would do so again on a copy. */
export const control: RegExp = /^(nats-|waybill-)/i;

const names: Readonly<Record<keyof LetterFacts, string>> = {
  id: "id",
  reason: "reason",
  errorType: "error-type",
  errorMessage: "error-message",
  transport: "transport",
  destination: "destination",
  lane: "lane",
  position: "position",
  group: "group",
  attempts: "attempts",
  firstFailedAt: "first-failed-at",
  lastFailedAt: "last-failed-at",
  redrives: "redrives",
  originLane: "origin-lane",
  originPosition: "origin-position",
  parkedKey: "parked-key",
  front: "front",
  traceparent: "traceparent",
  dialect: "dialect",
};
const fields = /* @__PURE__ */ Object.keys(names) as (keyof LetterFacts)[];
/** So much of an error's message is kept, in UTF-16 units. */
export const maxMessageLength = 1_024;
/** As {@link fingerprint} makes them. */
const letterId = /^[0-9a-z]{28}$/;

/** What is known when a delivery is given up. */
export interface GivenUp {
  readonly delivery: Delivery;
  readonly transport: string;
  readonly group: string | undefined;
  readonly reason: LetterReason;
  readonly failure: EventError;
  readonly record: AttemptRecord;
  readonly nowMs: number;
  readonly parkedKey?: string | undefined;
  readonly front?: string | undefined;
  readonly dialect?: string | undefined;
}

/** The facts of a letter. */
export function letterFacts(given: GivenUp, traceparent: string | undefined): LetterFacts {
  const { delivery, transport, group, reason, failure, record, nowMs, parkedKey, front, dialect } = given;
  const { message, lane, position } = delivery;
  const { destination, headers, timestampMs } = message;
  const errorType = (failure.code === "handler-failed" && nameOf(failure.cause)) || failure.code;
  const lastMs = record.lastMs || nowMs;
  return {
    // A log that was made anew counts from its beginning again: the time tells its messages from the old ones.
    id: fingerprint([group, transport, destination, lane, position, timestampMs].join("\n")),
    reason,
    errorType,
    errorMessage: failure.message.slice(0, maxMessageLength),
    transport,
    destination,
    lane,
    position,
    group,
    attempts: record.count,
    firstFailedAt: new Date(record.firstMs || lastMs).toISOString(),
    lastFailedAt: new Date(lastMs).toISOString(),
    redrives: wholeNumber(headers.get(redriveHeaders.count)),
    originLane: headers.get(redriveHeaders.originLane) ?? lane,
    originPosition: headers.get(redriveHeaders.originPosition) ?? position,
    parkedKey,
    front,
    traceparent,
    dialect,
  };
}

/** Headers come from the network: what is no count would pass every limit, and counts for nothing. */
function wholeNumber(text: string | undefined): number {
  const count = Number(text ?? 0);
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

function nameOf(cause: unknown): string | undefined {
  try {
    const name: unknown = cause instanceof Error ? cause.name : undefined;
    return typeof name === "string" ? name : undefined;
  } catch {
    return undefined; // a name of its own make
  }
}

/** The headers of a letter: those of the message as they are, and what Waybill knows of it. */
export function letterHeaders(
  { headers }: IncomingMessage,
  facts: LetterFacts,
  brief: boolean,
): (string | Uint8Array)[] {
  const written: (string | Uint8Array)[] = [];
  eachHeader(headers, (name, value) => {
    written.push(control.test(name) ? originalPrefix + name : name, value);
  });
  for (const field of fields) {
    const value = facts[field];
    if (value === undefined || (brief && (field === "errorMessage" || field === "errorType"))) continue;
    written.push(letterPrefix + names[field], encode(String(value)));
  }
  return written;
}

/** What a message tells as a dead letter; undefined where it is none. */
export function readLetter({ headers }: Pick<IncomingMessage, "headers">): LetterFacts | undefined {
  const read = (field: keyof LetterFacts): string | undefined => {
    const value = headers.get(letterPrefix + names[field]);
    return value === undefined ? undefined : decode(value);
  };
  const id = read("id");
  const destination = read("destination");
  // An id is a key of a store: one that cannot be would fail every list.
  if (id === undefined || !letterId.test(id) || destination === undefined) return undefined;
  const lane = read("lane") ?? "";
  const position = read("position") ?? "";
  return {
    id,
    reason: (read("reason") ?? "attempts-exhausted") as LetterReason,
    errorType: read("errorType") ?? "",
    errorMessage: read("errorMessage") ?? "",
    transport: read("transport") ?? "",
    destination,
    lane,
    position,
    group: read("group"),
    attempts: wholeNumber(read("attempts")),
    firstFailedAt: read("firstFailedAt") ?? "",
    lastFailedAt: read("lastFailedAt") ?? "",
    redrives: wholeNumber(read("redrives")),
    originLane: read("originLane") ?? lane,
    originPosition: read("originPosition") ?? position,
    parkedKey: read("parkedKey"),
    front: read("front"),
    traceparent: read("traceparent"),
    dialect: read("dialect"),
  };
}

/** The headers of the message that a letter was made of, without those that meant something to its broker. */
export function originalHeaders(headers: HeaderCarrier): (string | Uint8Array)[] {
  const kept: (string | Uint8Array)[] = [];
  eachHeader(headers, (name, value) => {
    if (!control.test(name)) kept.push(name, value);
  });
  return kept;
}

function eachHeader(headers: HeaderCarrier, each: (name: string, value: string | Uint8Array) => void): void {
  const entries = headers.raw ?? headers.entries();
  for (let i = 0; i < entries.length; i += 2) each(text(entries[i]!), entries[i + 1] ?? "");
}

function text(name: string | Uint8Array): string {
  return typeof name === "string" ? name : new TextDecoder().decode(name);
}

/** Header values are one line of ASCII wherever a letter goes. */
function encode(value: string): string {
  return value.replace(/[^ !#$&-~]+/g, encodeWellFormed);
}

/** A lone half of a pair has no UTF-8. */
function encodeWellFormed(part: string): string {
  return encodeURIComponent(
    part.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"),
  );
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
