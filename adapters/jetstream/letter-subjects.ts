import { EventError } from "../../core/errors.ts";
import { intersection } from "./intersection.ts";
import { covers } from "./subjects.ts";

/** Where the dead letters of one stream go. */
export interface LetterSubjects {
  /** What its dead-letter stream takes. */
  readonly all: readonly string[];
  /** Those of the destinations that match `source`. */
  within(source: string): string[];
  /** That of a destination; undefined where the stream does not have it. */
  of(destination: string): string | undefined;
}

/**
 * Derives the subjects of dead letters from those of the stream, so that whoever subscribes to a part of it agrees with
 * all others. Letters of `order.*` go to `order.*.dlq`. Where the stream itself would take these, as `order.>` does, or
 * the server could not tell them from its own, they go to `dlq.order.>`.
 *
 * @param subjects Of the stream, as destinations: without the token of the partition.
 * Throws `unsupported` where the stream takes those as well, as `>` does.
 */
export function letterSubjects(stream: string, subjects: readonly string[]): LetterSubjects {
  const own = subjects.filter((subject) => !subject.startsWith("$")).sort();
  const taken = (subject: string): boolean => own.some((each) => intersection(each, subject) !== undefined);
  const prefixed = (subject: string): boolean => /^\*|>$/.test(subject) || taken(`${subject}.dlq`);
  const forms = own.map((subject) => ({ subject, prefix: prefixed(subject) }));
  const letters = (prefix: boolean, subject: string): string => (prefix ? `dlq.${subject}` : `${subject}.dlq`);
  const all = forms.map(({ subject, prefix }) => letters(prefix, subject));
  const clash = all.find(taken);
  if (clash !== undefined) {
    const text = `jetstream: the stream ${stream} takes ${clash} itself, so that it cannot have dead letters elsewhere`;
    throw new EventError("unsupported", `${text}: give deadLetter.destination on another stream, or a transport`);
  }
  return {
    all,
    within: (source) =>
      forms.flatMap(({ subject, prefix }) => {
        const common = intersection(source, subject);
        return common === undefined ? [] : [letters(prefix, common)];
      }),
    of(destination) {
      const form = forms.find(({ subject }) => covers(subject, destination));
      return form && letters(form.prefix, destination);
    },
  };
}
