import { type Environment, environmentKey } from "./environment.ts";
import { EventError } from "./errors.ts";

/**
 * The inside of a bus, for the entries beside the root.
 *
 * @throws EventError `invalid-option` for what is no bus.
 */
export function environmentOf(bus: object): Environment {
  const env = (bus as { readonly [environmentKey]?: Environment } | undefined)?.[environmentKey];
  if (!env) throw new EventError("invalid-option", "bus: a bus of createEventBus");
  return env;
}
