import type { StreamSpec } from "./options.ts";
import { covers, fnv1a } from "./subjects.ts";

/** Where a message goes. */
export interface Placed {
  readonly subject: string;
  readonly partition: number | undefined;
}

/** Tells which destinations have partitions, and puts messages into them. */
export interface Partitions {
  /** How many partitions every subject that matches the destination has; 0 for none. */
  count(destination: string): number;
  place(destination: string, key: string | undefined): Placed;
}

/** What stands before the destination in the subject of a partition. */
export function partitionSubject(partition: number | "*", destination: string): string {
  return `p.${partition}.${destination}`;
}

/** The destination and partition of a stored subject of a stream that has partitions. */
export function destinationOf(subject: string): { destination: string; partition: number } {
  const end = subject.indexOf(".", 2);
  return { destination: subject.slice(end + 1), partition: Number(subject.slice(2, end)) };
}

/** Makes the partitions of the streams: a key by its hash, what has no key in turn. */
export function createPartitions(streams: readonly StreamSpec[]): Partitions {
  const known = new Map<string, number>();
  let turn = 0;
  const count = (destination: string): number => {
    let found = known.get(destination);
    if (found === undefined) {
      const stream = streams.find(({ subjects }) => subjects.some((subject) => covers(subject, destination)));
      found = stream?.partitions ?? 0;
      // Destinations may be made up without end: what is remembered stays bounded.
      if (known.size > 999) known.clear();
      known.set(destination, found);
    }
    return found;
  };
  if (streams.every(({ partitions }) => partitions === undefined)) {
    return { count: () => 0, place: (destination) => ({ subject: destination, partition: undefined }) };
  }
  return {
    count,
    place(destination, key) {
      const of = count(destination);
      if (of === 0) return { subject: destination, partition: undefined };
      const partition = (key === undefined ? turn++ : fnv1a(key)) % of;
      return { subject: partitionSubject(partition, destination), partition };
    },
  };
}
