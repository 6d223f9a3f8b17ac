import { EventError } from "../errors.ts";
import type { CloudEvent } from "../event.ts";
import type { OutgoingMessage } from "../message.ts";
import { endSpan } from "../telemetry/tracing.ts";
import type { PublishOutcome } from "../transport.ts";
import type { LetterFilter } from "./letter-filter.ts";
import type { LetterNote, StoredLetter } from "./letter-view.ts";
import type { Letters, Read } from "./letters.ts";
import { createPace, type Pace } from "./pace.ts";
import { keyName, type ParkedLetters } from "./parked-letters.ts";
import type { RedriveOptions, RedriveProgress } from "./redrive.ts";
import { redrivenCopy } from "./redriven-copy.ts";
import { type Target, targetOf } from "./target.ts";

/** A letter that is about to be sent. */
export interface Going {
  readonly stored: StoredLetter;
  readonly target: Target;
  readonly message: OutgoingMessage;
  /** Ends its span. */
  end(error?: EventError): void;
}

const maxFailures = 100;
const progressMs = 100;
const maxTries = 3;

/** What both ways of redriving have in common. */
export class RedriveRun {
  readonly letters: Letters;
  readonly filter: LetterFilter;
  readonly options: RedriveOptions;
  readonly id: string;
  readonly pace: Pace;
  readonly counts: { -readonly [K in keyof RedriveProgress]: number } = {
    seen: 0,
    matched: 0,
    redriven: 0,
    skipped: 0,
    held: 0,
    uncertain: 0,
    failed: 0,
  };
  readonly failures: { id: string; error: EventError }[] = [];
  /** By group, destination and key: what goes in the order of its first occurrence. */
  readonly keys: Map<string, ParkedLetters> = new Map();
  #toldMs = 0;
  /** Whether the letter that was looked at last had no note: then the next has probably none either. */
  #untouched = true;

  /** Throws `invalid-option` for a rate or a concurrency that cannot be. */
  constructor(letters: Letters, filter: LetterFilter, options: RedriveOptions) {
    const { rate, concurrency = 1 } = options;
    if (rate !== undefined && !(rate > 0)) throw new EventError("invalid-option", `rate must be above 0, not ${rate}`);
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new EventError("invalid-option", `concurrency must be a whole number from 1, not ${concurrency}`);
    }
    this.letters = letters;
    this.filter = filter;
    this.options = options;
    this.id = letters.env.ids();
    this.pace = createPace(letters.env.clock, rate);
  }

  /** Whether letters are taken without a look at their notes: not where what is noted would cost a turn or a call. */
  get guessing(): boolean {
    return this.#untouched && this.options.rate === undefined && !this.options.transform;
  }

  looked(note: LetterNote | undefined): void {
    this.#untouched = !note;
  }

  async *read(): AsyncGenerator<Read> {
    const { signal } = this.options;
    for await (const read of this.letters.read(this.filter, undefined, signal)) {
      this.letters.checkAborted(signal);
      this.counts.seen++;
      yield read;
    }
  }

  /** Where a letter goes; undefined where that cannot be told, or it must not go. */
  targetOf(stored: StoredLetter): Target | undefined {
    if (!stored.facts.group) return undefined;
    try {
      return this.#targetOf(stored);
    } catch {
      return undefined;
    }
  }

  /** Where a letter goes, and the event where it goes as another than it was. Undefined: it stays. */
  evaluate(stored: StoredLetter): { readonly target: Target; readonly changed: CloudEvent | undefined } | undefined {
    const { letter, facts } = stored;
    const { transform } = this.options;
    try {
      if (!facts.group) {
        // Everybody would take the copy. No subscription sets aside without a group: by hand, or to do harm.
        throw new EventError("malformed-message", `letter ${letter.id} names no group that failed`);
      }
      const event = transform && letter.event ? transform(letter) : letter.event;
      if (event || !letter.event) {
        const same = event === letter.event && facts.dialect !== "guide";
        return { target: this.#targetOf(stored), changed: same ? undefined : event };
      }
      this.counts.skipped++;
    } catch (reason) {
      this.fail(letter.id, EventError.from(reason, "handler-failed"));
    }
    return undefined;
  }

  prepare(stored: StoredLetter): Going | undefined {
    const { env, transport } = this.letters;
    const found = this.evaluate(stored);
    if (!found) return undefined;
    const { target, changed } = found;
    const front = this.keys.get(keyName(stored))?.last.facts.front;
    const { message, span } = redrivenCopy(env, stored, target, transport.capabilities.binding, front, changed);
    return { stored, target, message, end: (error) => endSpan(span, error) };
  }

  /** Sends the same copy again while nobody can tell whether it is stored, and the broker would recognise it. */
  async publish({ target, message }: Going): Promise<PublishOutcome> {
    for (let tried = 1; ; tried++) {
      // Not given up in the middle: whether it is stored would be unknown.
      const [outcome] = await target.transport.publish([message]);
      if (outcome!.stored) return tried === 1 ? outcome! : { stored: true, at: { ...outcome!.at, duplicate: false } };
      if (tried === maxTries || !outcome!.retrySafe || !outcome!.error.retryable) return outcome!;
    }
  }

  fail(id: string, error: EventError): void {
    if (error.code === "aborted") return; // told by the run as a whole
    this.counts.failed++;
    if (this.failures.length < maxFailures) this.failures.push({ id, error });
  }

  tell(last = false): void {
    const { onProgress } = this.options;
    const now = this.letters.env.clock.now();
    if (!onProgress || (!last && now - this.#toldMs < progressMs)) return;
    this.#toldMs = now;
    // What the caller's function throws or rejects with is told, and ends nothing.
    const told = async (): Promise<void> => onProgress({ ...this.counts });
    told().catch((reason: unknown) => this.letters.report(EventError.from(reason, "handler-failed")));
  }

  #targetOf({ facts }: StoredLetter): Target {
    return targetOf(this.letters.env, this.letters.allowed, facts, this.options.to);
  }
}
