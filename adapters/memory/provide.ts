import { EventError } from "../../core/errors.ts";
import type { DestinationSpec, ProvidedDestination } from "../../core/transport.ts";
import type { Consumers } from "./consumers.ts";
import type { Log } from "./log.ts";
import { isWildcard } from "./wildcards.ts";

const suffixes = { "dead-letter": "dlq", retry: "retry", state: "state" } as const;
const destinationPattern = /^[^\s\p{Cc}.]+(\.[^\s\p{Cc}.]+)*$/u;

/**
 * Provides `<source>.dlq`, `.retry` or `.state`, or the destination that is given. What belongs to `order.placed` goes
 * to `order.placed.dlq` whichever pattern was subscribed to, so that all subscriptions agree: the dead letters of
 * `order.*` are `order.*.dlq`, those of `order.>` are `order.>.dlq`, a pattern that this transport's `consume` and
 * `read` take.
 *
 * Dead letters are never pushed out: a full partition refuses more. A state keeps the last message of each key.
 * Throws `invalid-destination`, and `configuration-mismatch` for one that has another role already.
 */
export function provide(log: Log, consumers: Consumers, spec: DestinationSpec): ProvidedDestination {
  const { role, source, destination } = spec;
  for (const name of [source, destination ?? source]) {
    if (destinationPattern.test(name) && (name !== destination || !isWildcard(name))) continue;
    const text = `memory: no destination: ${JSON.stringify(name).slice(0, 80)}`;
    throw new EventError("invalid-destination", text);
  }
  const suffix = suffixes[role];
  const provided = destination ?? `${source}.${suffix}`;
  log.retain(provided, role === "dead-letter" ? "all" : role === "state" ? "last-of-key" : "new");
  if (!isWildcard(provided)) consumers.ensure(provided);
  return { destinations: [provided], of: (of) => destination ?? `${of}.${suffix}` };
}
