import { EventError } from "../errors.ts";
import { matches } from "../pattern.ts";
import type { Letter, LetterStatus } from "./letter-view.ts";

/** Which letters are meant. What is left out leaves none out. */
export interface LetterFilter {
  /** Ids of letters. */
  readonly ids?: readonly string[];
  /** The group that failed. */
  readonly group?: string;
  /** A type's name or a pattern. What could not be read has no type. */
  readonly type?: string;
  /** The ordering key of the event. */
  readonly key?: string;
  /** Why the letters are here: one reason or several. */
  readonly reason?: Letter["reason"] | readonly Letter["reason"][];
  /** As {@link Letter.error}`.type`. */
  readonly errorType?: string;
  /** The destination where the event failed. */
  readonly destination?: string;
  /** Last failure not before this, RFC 3339 or a date. */
  readonly since?: string | Date;
  /** Last failure before this. */
  readonly until?: string | Date;
  /** Redriven so often at most before: keeps what fails again and again from going round. */
  readonly maxRedrives?: number;
  /** One or several. Default: `waiting`. */
  readonly status?: LetterStatus | readonly LetterStatus[];
}

/** Whether a letter is meant. */
export type LetterTest = (letter: Letter) => boolean;

/**
 * The test of a filter.
 *
 * @throws EventError `invalid-option` for a time that is none.
 */
export function letterTest(filter: LetterFilter): LetterTest {
  const { group, type, key, errorType, destination, maxRedrives } = filter;
  const ids = filter.ids && new Set(filter.ids);
  const reasons = filter.reason === undefined ? undefined : new Set([filter.reason].flat());
  const statuses = new Set([filter.status ?? "waiting"].flat());
  const sinceMs = timeOf("since", filter.since);
  const untilMs = timeOf("until", filter.until);
  return (letter) => {
    if (ids && !ids.has(letter.id)) return false;
    if (group !== undefined && letter.group !== group) return false;
    if (key !== undefined && letter.key !== key) return false;
    if (reasons && !reasons.has(letter.reason)) return false;
    if (errorType !== undefined && letter.error.type !== errorType) return false;
    if (destination !== undefined && letter.origin.destination !== destination) return false;
    if (maxRedrives !== undefined && letter.redrives > maxRedrives) return false;
    const failedMs = Date.parse(letter.lastFailedAt);
    if (sinceMs !== undefined && !(failedMs >= sinceMs)) return false;
    if (untilMs !== undefined && !(failedMs < untilMs)) return false;
    if (type !== undefined && !(letter.event && matches(type, letter.event.type))) return false;
    return statuses.has(letter.status);
  };
}

/** Whether a filter means letters of that status. */
export function isAsked({ status = "waiting" }: LetterFilter, found: LetterStatus): boolean {
  return [status].flat().includes(found);
}

function timeOf(name: string, time: string | Date | undefined): number | undefined {
  if (time === undefined) return undefined;
  const ms = time instanceof Date ? time.getTime() : Date.parse(time);
  if (!Number.isNaN(ms)) return ms;
  throw new EventError("invalid-option", `${name}: no time: ${String(time).slice(0, 64)}`);
}
