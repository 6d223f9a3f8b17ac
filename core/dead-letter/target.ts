import { covers } from "../delivery/dead-letters.ts";
import type { LetterFacts } from "../delivery/letter.ts";
import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";
import { checkDestination } from "../routing.ts";
import type { Transport } from "../transport.ts";

/** Where a copy goes. */
export interface Target {
  readonly name: string;
  readonly transport: Transport;
  readonly destination: string;
}

/** Tells a target from every other, if the copy that was sent there before is recognised; undefined where it is not. */
export function recognising({ name, transport, destination }: Target): string | undefined {
  return transport.capabilities.deduplication ? `${name} ${destination}` : undefined;
}

/** Another place than where the event failed. */
export interface RedriveTarget {
  /** A name in the bus's `transports`. Default: where the event failed. */
  readonly transport?: string;
  /** Must be among the configured destinations. Default: where the event failed. */
  readonly destination?: string;
}

/**
 * Finds the target of a letter among the destinations that are allowed: those of the queue, its `targets`, and those of
 * the catalog. What a letter says of its origin came over the wire.
 *
 * @throws EventError `invalid-destination` for another one, `invalid-option` for a transport that the bus has not.
 */
export function targetOf(
  { router }: Environment,
  allowed: readonly string[],
  facts: LetterFacts,
  to: RedriveTarget = {},
): Target {
  const name = to.transport ?? facts.transport;
  const destination = to.destination ?? facts.destination;
  checkDestination(destination);
  const catalog = (): boolean =>
    (router.types() ?? []).some((type) => (router.definition(type)?.destination ?? type) === destination);
  if (!allowed.some((each) => each === destination || covers(each, destination)) && !catalog()) {
    const text = `"${destination}" is not among the destinations of this dead-letter queue: name it in "targets"`;
    throw new EventError("invalid-destination", text);
  }
  return { name, transport: router.transport(name), destination };
}
