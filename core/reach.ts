import type { Route } from "./options.ts";
import { noRoute, type Router } from "./routing.ts";

/** Where a subscriber finds events. */
export interface Reach {
  readonly name: string;
  /** undefined: a route works it out from each event. */
  readonly destination: string | undefined;
}

/** Every transport that may carry a type or pattern, and where; when `only` is given, where on that one. Throws `no-route`. */
export function reach(router: Router, type: string, only: string | undefined): readonly Reach[] {
  const usually = router.definition(type)?.destination ?? type;
  const along = ({ to, destination: own = usually }: Route): Reach[] =>
    [to].flat().map((name) => ({ name, destination: typeof own === "string" ? own : undefined }));
  const found = router.routesOf(type).flatMap(along);
  if (only === undefined) {
    if (found.length === 0) throw noRoute(type);
    return found;
  }
  const there = found.filter(({ name }) => name === only);
  return there.length > 0 ? there : [{ name: only, destination: usually }];
}
