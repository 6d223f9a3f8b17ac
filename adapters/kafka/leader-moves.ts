import { rest } from "./rest.ts";

/** What brokers answer while a partition's leader moves, or a new topic has none yet. Nothing was done. */
export const leaderMoved: ReadonlySet<number | undefined> = new Set([
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_OR_FOLLOWER
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
]);

const pauseMs = 100;
const patienceMs = 10_000;

/** Asks a partition's leader, and again while leaders move. `moved` may forget where they were. */
export async function askLeader<T>(
  ask: () => Promise<T>,
  codeOf: (error: unknown) => number | undefined,
  moved: () => void = () => undefined,
): Promise<T> {
  for (const until = Date.now() + patienceMs; ; ) {
    try {
      return await ask();
    } catch (cause) {
      if (!leaderMoved.has(codeOf(cause)) || Date.now() > until) throw cause;
      moved();
      await rest(pauseMs);
    }
  }
}
