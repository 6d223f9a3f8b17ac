import { EventError } from "./errors.ts";
import type { Route } from "./options.ts";
import { matches } from "./pattern.ts";
import { overlap } from "./pattern-overlap.ts";
import { noRoute, type Router } from "./routing.ts";

/** Where a subscriber finds events. */
export interface Reach {
  readonly name: string;
  readonly destination: string;
}

/**
 * Every transport that may carry a type or pattern, and where: its destination and those that older versions of it had.
 *
 * @param transport Only this one.
 * @param destination Instead of the destinations.
 * @throws EventError `no-route`; `invalid-option` when a route works the destination out and none was given.
 */
export function reach(
  router: Router,
  type: string,
  transport: string | undefined,
  destination: string | undefined,
): readonly Reach[] {
  const { destination: usual = type, upcast = [] } = router.definition(type) ?? {};
  const routes = routesOf(router, type);
  if (transport === undefined && routes.length === 0) throw noRoute(type);
  const ways = routes.flatMap(({ to, destination: own = usual }) => [to].flat().map((name) => ({ name, own })));
  const there = transport === undefined ? ways : ways.filter(({ name }) => name === transport);
  const all = there.length > 0 || transport === undefined ? there : [{ name: transport, own: usual }];
  return all.flatMap(({ name, own }) => {
    if (destination !== undefined) return [{ name, destination }];
    if (typeof own === "function") {
      throw new EventError("invalid-option", `a route works out where "${type}" goes: give a destination`);
    }
    return [own, ...upcast.map((older) => older.destination ?? own)].map((where) => ({ name, destination: where }));
  });
}

/** The routes that may take some of a type or pattern: up to the first that takes all of it. */
export function routesOf({ routes }: Router, type: string): readonly Route[] {
  const some = routes.filter((route) => overlap(route.type, type));
  return some.slice(0, some.findIndex((route) => !route.when && matches(route.type, type)) + 1 || some.length);
}
