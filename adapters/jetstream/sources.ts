import { EventError } from "../../core/errors.ts";
import { type ApiError, apiError } from "./api.ts";
import { partitionSubject } from "./partitions.ts";
import type { ReceiveContext } from "./receive-context.ts";
import { widest } from "./subjects.ts";

// As `invalid-destination` of core, but with wildcards; the API would read anything else as part of its own subjects.
const destinationPattern = /^(?!\$)[^\s\p{Cc}.>]+(\.[^\s\p{Cc}.>]+)*(\.>)?$|^>$/u;

/** What one consumer takes. */
export interface Source {
  readonly stream: string;
  readonly subjects: readonly string[];
  /** The one partition it takes, all of them, or undefined where there are none. */
  readonly partition: number | "all" | undefined;
}

/** The streams that have the destinations, and the partitions of each that a group takes one by one. */
export async function sourcesOf(
  context: ReceiveContext,
  destinations: readonly string[],
  grouped: boolean,
): Promise<Source[]> {
  const { partitions } = context;
  const plain = new Map<string, string[]>();
  const split = new Map<string, { of: number; destinations: string[] }>();
  for (const destination of widest(destinations)) {
    const of = partitions.count(destination);
    for (const stream of await streamsOf(context, destination)) {
      if (of > 0) {
        const entry = split.get(stream) ?? { of, destinations: [] };
        entry.destinations.push(destination);
        split.set(stream, entry);
      } else plain.set(stream, [...(plain.get(stream) ?? []), destination]);
    }
  }
  const sources: Source[] = Array.from(plain, ([stream, subjects]) => ({ stream, subjects, partition: undefined }));
  for (const [stream, { of, destinations: own }] of split) {
    const subjects = (partition: number | "*"): string[] => own.map((each) => partitionSubject(partition, each));
    if (!grouped) sources.push({ stream, subjects: subjects("*"), partition: "all" });
    else for (let n = 0; n < of; n++) sources.push({ stream, subjects: subjects(n), partition: n });
  }
  return sources;
}

/** The streams that have a destination. Rejects with `invalid-destination` where there is none. */
export async function streamsOf(
  { api, partitions }: ReceiveContext,
  destination: string,
): Promise<readonly [string, ...string[]]> {
  if (!destinationPattern.test(destination)) {
    const text = `jetstream: no destination: ${JSON.stringify(destination).slice(0, 80)}`;
    throw new EventError("invalid-destination", text);
  }
  const subject = partitions.count(destination) > 0 ? partitionSubject("*", destination) : destination;
  const found = await api.request<{ streams?: readonly string[] | null; error?: ApiError }>("STREAM.NAMES", {
    subject,
  });
  if (found.error) throw apiError("cannot look for streams", found.error);
  const [first, ...others] = withoutAside(destination, found.streams ?? []);
  if (first !== undefined) return [first, ...others];
  throw new EventError("invalid-destination", `jetstream: no stream has ${destination}`, { retryable: true });
}

/** A wildcard reaches buckets, letters and what the server gave up only where there is nothing else for it. */
function withoutAside(destination: string, streams: readonly string[]): readonly string[] {
  if (!/[*>]/.test(destination)) return streams;
  const aside = /^dlq\.|\.dlq$/.test(destination) ? /^(KV|OBJ)_|_GIVEN_UP$/ : /^(KV|OBJ)_|_GIVEN_UP$|_DLQ$/;
  const others = streams.filter((name) => !aside.test(name));
  return others.length > 0 ? others : streams;
}
