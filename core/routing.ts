import type { Catalog, EventDefinition } from "./catalog.ts";
import { EventError } from "./errors.ts";
import { checkText } from "./event.ts";
import type { Route, Transports } from "./options.ts";
import { isPattern, matches } from "./pattern.ts";
import type { Transport } from "./transport.ts";

/** Where events of one type go, worked out once. */
export interface Plan {
  readonly type: string;
  readonly definition: EventDefinition | undefined;
  readonly name: string;
  readonly transport: Transport;
  readonly destination: string;
}

/** Finds the transport and destination of each type. */
export interface Router {
  /** Throws `unknown-type` or `no-route`. */
  plan(type: string): Plan;
  /** What the catalog says of a type. */
  definition(type: string): EventDefinition | undefined;
  /** The names of the catalog, or undefined without one. */
  types(): readonly string[] | undefined;
  /** The transport that carries a type or pattern. */
  transportOf(typeOrPattern: string): string;
  /** The transport of that name; throws `invalid-option`. */
  transport(name: string): Transport;
}

/** Plans kept for types outside a catalog, which a caller could make up without end. */
const maxPlans = 1024;
const destinationPattern = /^(?!\$)[^\s\p{Cc}.*>]+(\.[^\s\p{Cc}.*>]+)*$/u;

/** Throws `invalid-destination` unless the text is a plain subject or topic. */
export function checkDestination(destination: string): void {
  if (typeof destination !== "string" || destination.length > 255 || !destinationPattern.test(destination)) {
    throw new EventError(
      "invalid-destination",
      `destination ${JSON.stringify(String(destination).slice(0, 64))}: up to 255 characters, ` +
        'no wildcard, space, control character or empty token, no leading "$"',
    );
  }
}

/** Makes a router; throws `invalid-option` when a route names no transport. */
export function createRouter(catalog: Catalog | undefined, transports: Transports, routes: readonly Route[]): Router {
  const names = Object.keys(transports);
  const plans = new Map<string, Plan>();
  for (const route of routes) transport(route.to);

  function transport(name: string): Transport {
    const found = Object.hasOwn(transports, name) ? transports[name] : undefined;
    if (!found) throw new EventError("invalid-option", `no transport "${name}", only ${names.join(", ")}`);
    return found;
  }

  function transportOf(type: string): string {
    const route = routes.find((candidate) => matches(candidate.type, type));
    const name = route?.to ?? (names.length === 1 && routes.length === 0 ? names[0] : undefined);
    if (name === undefined) throw new EventError("no-route", `no route takes events of type "${type}"`);
    return name;
  }

  function definition(type: string): EventDefinition | undefined {
    return catalog && Object.hasOwn(catalog, type) ? catalog[type] : undefined;
  }

  function plan(type: string): Plan {
    const known = plans.get(type);
    if (known) return known;
    const found = definition(type);
    if (catalog && !found) throw new EventError("unknown-type", `the catalog has no event "${type}"`);
    checkText("type", type);
    const destination = found?.destination ?? type;
    if (isPattern(type)) throw new EventError("invalid-event", `"${type}" is a pattern, not a type`);
    checkDestination(destination);
    const name = transportOf(type);
    const made: Plan = { type, definition: found, name, transport: transport(name), destination };
    if (plans.size >= maxPlans) plans.clear();
    plans.set(type, made);
    return made;
  }
  return { plan, definition, types: () => catalog && Object.keys(catalog), transportOf, transport };
}
