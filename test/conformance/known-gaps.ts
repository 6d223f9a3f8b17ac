import type { Runtime, TransportName } from "./matrix.ts";

/** A case that is known to fail somewhere. One that passes all the same fails the run, so that the list stays true. */
export interface KnownGap {
  readonly runtime: Runtime | "*";
  readonly transport: TransportName | "*";
  readonly case: string;
  readonly reason: string;
  /** Where it is described or followed: a document of this repository, or a page elsewhere. */
  readonly link: string;
}

export const knownGaps: readonly KnownGap[] = [];

/** The gap that is known of a case in a cell. */
export function gapOf(
  gaps: readonly KnownGap[],
  runtime: Runtime,
  transport: TransportName,
  id: string,
): KnownGap | undefined {
  return gaps.find(
    (gap) =>
      gap.case === id &&
      (gap.runtime === "*" || gap.runtime === runtime) &&
      (gap.transport === "*" || gap.transport === transport),
  );
}
