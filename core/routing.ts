import type { Catalog, EventDefinition } from "./catalog.ts";
import { EventError } from "./errors.ts";
import { checkText } from "./event.ts";
import type { PublishItem, PublishOptions, Route, Transports } from "./options.ts";
import { isPattern, matches } from "./pattern.ts";
import type { Transport } from "./transport.ts";

/** Where events of one type go, worked out once. */
export interface Plan {
  readonly type: string;
  readonly definition: EventDefinition | undefined;
  readonly name: string;
  readonly transport: Transport;
  readonly destination: string;
  /** The destination of one event, where it depends on more than the type. */
  readonly locate?: ((event: PublishItem) => string) | undefined;
  /** The route of a fallback chain and the plans along it, this one first. */
  readonly chain?: { readonly route: Route; readonly plans: readonly Plan[] } | undefined;
}

/** A plan whose route may pass an event on to the next. */
type Choice = Plan & { readonly when?: Route["when"] };

/** Finds the transport and destination of each event. */
export interface Router {
  /** Throws `unknown-type` or `no-route`. */
  plan(type: string, data?: unknown, options?: PublishOptions): Plan;
  /** As {@link plan}, for a type that the catalog need not know. */
  route(type: string, data?: unknown, options?: PublishOptions): Plan;
  /** What the catalog says of a type. */
  definition(type: string): EventDefinition | undefined;
  /** The names of the catalog, or undefined without one. */
  types(): readonly string[] | undefined;
  /** In the order in which they are asked. */
  readonly routes: readonly Route[];
  /** The transport of that name; throws `invalid-option`. */
  transport(name: string): Transport;
}

const destinationPattern = /^(?!\$)[^\s\p{Cc}.*>]+(\.[^\s\p{Cc}.*>]+)*$/u;

/** Throws `invalid-destination` unless the text is a plain subject or topic. */
export function checkDestination(destination: string): void {
  if (typeof destination !== "string" || destination.length > 255 || !destinationPattern.test(destination)) {
    throw new EventError(
      "invalid-destination",
      `destination ${JSON.stringify(String(destination).slice(0, 64))}: up to 255 characters, no wildcard, ` +
        'space, control character, empty token or leading "$"',
    );
  }
}

/** The error of an event that no route takes. */
export function noRoute(type: string): EventError {
  return new EventError("no-route", `no route takes "${type}"`);
}

/** Makes a router; throws `invalid-option` or `unsupported` for a route that cannot work. */
export function createRouter(catalog: Catalog | undefined, transports: Transports, routes: readonly Route[]): Router {
  const names = Object.keys(transports);
  const usual: readonly Route[] = routes.length > 0 || names.length !== 1 ? routes : [{ type: "**", to: names[0]! }];
  /** By type, the plans of its routes in their order. */
  const known = new Map<string, readonly Choice[]>();
  for (const route of routes) checkChain(route);

  function transport(name: string): Transport {
    const found = Object.hasOwn(transports, name) ? transports[name] : undefined;
    if (!found) throw new EventError("invalid-option", `no transport "${name}" but ${names}`);
    return found;
  }

  function checkChain({ type, to, allowDowngrade }: Route): void {
    const chain = [to].flat().map((name) => transport(name).capabilities.durable);
    if (chain.length === 0) throw noRoute(type);
    if (!allowDowngrade && chain.some((durable, at) => !durable && chain[at - 1])) {
      throw new EventError("unsupported", `route "${type}": allowDowngrade is not set`);
    }
  }

  function definition(type: string): EventDefinition | undefined {
    return catalog && Object.hasOwn(catalog, type) ? catalog[type] : undefined;
  }

  function plansOf(type: string): readonly Choice[] {
    const found = definition(type);
    checkText("type", type);
    if (isPattern(type)) throw new EventError("invalid-event", `"${type}" is a pattern`);
    const takers = usual.filter((route) => matches(route.type, type));
    const made = takers.map((route) => {
      const { to, when, destination: own = found?.destination ?? type } = route;
      const plans: Choice[] = [];
      const common = {
        type,
        definition: found,
        when,
        // What depends on the event has no place of its own.
        ...(typeof own === "string" ? { destination: own } : { destination: "", locate: own }),
        chain: typeof to === "string" ? undefined : { route, plans },
      };
      for (const name of [to].flat()) plans.push({ ...common, name, transport: transport(name) });
      return plans[0]!;
    });
    // Outside a catalog a caller could make up types without end.
    if (known.size > 2e4) known.clear();
    known.set(type, made);
    return made;
  }

  /** The first plan whose route takes this event. */
  function choose(plans: readonly Choice[], type: string, data: unknown, options: PublishOptions | undefined): Plan {
    for (const plan of plans) if (!plan.when || plan.when({ ...options, type, data })) return plan;
    throw noRoute(type);
  }

  return {
    plan(type, data, options) {
      const plans = known.get(type);
      if (catalog && !(plans?.[0]?.definition ?? definition(type))) {
        throw new EventError("unknown-type", `the catalog has no event "${type}"`);
      }
      return choose(plans ?? plansOf(type), type, data, options);
    },
    route: (type, data, options) => choose(known.get(type) ?? plansOf(type), type, data, options),
    definition,
    types: () => catalog && Object.keys(catalog),
    routes: usual,
    transport,
  };
}
