import { EventError } from "../../core/errors.ts";

/** What both drivers take about groups. Members of one group must agree on it. */
export interface GroupOptions {
  /**
   * Who assigns partitions: `classic`, a member of the group; `consumer`, the broker (KIP-848, Kafka 4.0 and later).
   * Default: `classic`.
   */
  readonly groupProtocol?: "classic" | "consumer" | undefined;
  /**
   * How a member of a classic group assigns them: `cooperative-sticky` takes away only what moves, `roundrobin`
   * everything, at each rebalance. Default: `cooperative-sticky`.
   */
  readonly assignmentStrategy?: "cooperative-sticky" | "roundrobin" | undefined;
  /**
   * How long the group waits for a member of a classic group that went silent, in milliseconds. Let it be longer than
   * the transport's `drainMs`. Default: 45,000.
   */
  readonly sessionTimeoutMs?: number | undefined;
}

/** Throws `invalid-option` for what cannot work. */
export function checkGroup({ groupProtocol, assignmentStrategy, sessionTimeoutMs }: GroupOptions): void {
  if (![undefined, "classic", "consumer"].includes(groupProtocol)) {
    throw new EventError("invalid-option", `groupProtocol: classic or consumer, not "${groupProtocol}"`);
  }
  if (![undefined, "cooperative-sticky", "roundrobin"].includes(assignmentStrategy)) {
    const wanted = "assignmentStrategy: cooperative-sticky or roundrobin";
    throw new EventError("invalid-option", `${wanted}, not "${assignmentStrategy}"`);
  }
  if (groupProtocol === "consumer" && (assignmentStrategy !== undefined || sessionTimeoutMs !== undefined)) {
    const both = "assignmentStrategy and sessionTimeoutMs";
    throw new EventError("invalid-option", `${both}: the broker's own settings where groupProtocol is "consumer"`);
  }
  if (sessionTimeoutMs !== undefined && !(sessionTimeoutMs >= 1_000)) {
    throw new EventError("invalid-option", `sessionTimeoutMs: at least 1000, not ${String(sessionTimeoutMs)}`);
  }
}

/** A member tells that it lives three times within the broker's patience, and at least every 3 seconds. */
export function heartbeatMs(sessionTimeoutMs: number): number {
  return Math.min(3_000, Math.floor(sessionTimeoutMs / 3));
}
