import type { Environment } from "../environment.ts";
import { EventError } from "../errors.ts";

const environment = Symbol.for("waybill.environment");

/** What the parts of a bus share; throws `invalid-option` for what `createEventBus` did not make. */
export function environmentOf(bus: object): Environment {
  const found = (bus as { [environment]?: Environment })[environment];
  if (!found) throw new EventError("invalid-option", "outbox: bus is not one of createEventBus");
  return found;
}
