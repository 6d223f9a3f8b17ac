import { EventError } from "../../core/errors.ts";
import type { IncomingMessage } from "../../core/message.ts";
import type { ReadOptions } from "../../core/transport.ts";
import { pairHeaders } from "./headers.ts";
import type { Log, Partition } from "./log.ts";
import { isWildcard, takes } from "./wildcards.ts";

/**
 * What is stored now, partition after partition, destinations in the order in which they came to be. A position is
 * `<partition>/<offset>`, with `<destination>/` before it where the reading is by wildcard; reading from it goes on in
 * that partition and then with those behind it. A number alone is an offset in every partition.
 */
export function* replay(log: Log, { destination, from, signal }: ReadOptions): Generator<IncomingMessage> {
  const wild = isWildcard(destination);
  const wanted = [...log.partitions()].filter((partition) => takes(destination, partition.destination));
  const ends = wanted.map(({ end }) => end);
  const { first, offset } = startOf(wanted, from);
  for (let n = first.at; n < wanted.length; n++) {
    const partition = wanted[n]!;
    let next = n === first.at || first.every ? offset : 0;
    for (;;) {
      if (signal?.aborted) throw EventError.from(signal.reason, "aborted");
      const stored = partition.from(next);
      if (!stored || stored.offset >= ends[n]!) break;
      next = stored.offset + 1;
      const position = `${partition.index}/${stored.offset}`;
      yield {
        ...stored,
        headers: pairHeaders(stored.headers),
        position: wild ? `${partition.destination}/${position}` : position,
      };
    }
  }
}

interface Start {
  /** The partition to begin with, and whether the offset is that of every one. */
  readonly first: { readonly at: number; readonly every: boolean };
  readonly offset: number;
}

function startOf(wanted: readonly Partition[], from: string | undefined): Start {
  const found = /^(?:(?:(.+)\/)?(\d+)\/)?(\d+)$/.exec(from ?? "0");
  if (!found) {
    const text = `memory: from must be a position or an offset, not ${JSON.stringify(from).slice(0, 80)}`;
    throw new EventError("invalid-option", text);
  }
  const [, destination, index, offset] = found;
  if (index === undefined) return { first: { at: 0, every: true }, offset: Number(offset) };
  const at = wanted.findIndex(
    (each) => each.index === Number(index) && (destination === undefined || each.destination === destination),
  );
  return { first: { at: at < 0 ? wanted.length : at, every: false }, offset: Number(offset) };
}
