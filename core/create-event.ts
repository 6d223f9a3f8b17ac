import { checkEvent, copyExtensions } from "./check-event.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { CloudEvent, EventAttributes } from "./event.ts";
import { defaultIds, type IdGenerator } from "./id.ts";

/** What {@link createEvent} takes. */
export interface EventInit<Type extends string = string, Data = unknown> extends EventAttributes {
  /** What happened, such as `order.placed`. */
  readonly type: Type;
  /** URI reference of what the event comes from, such as `/shop`. */
  readonly source: string;
  /** Default: the event has no data. */
  readonly data?: Data;
}

/** Where {@link createEvent} takes its defaults from. */
export interface EventDefaults {
  /** Dates events without `time`. Default: the host's clock. */
  readonly clock?: Clock;
  /** Names events without `id`. Default: UUIDv7, growing within the process. */
  readonly ids?: IdGenerator;
}

/**
 * Makes an event by hand; `bus.publish` does it for you.
 *
 * @throws EventError `invalid-event` when an attribute breaks the rules of CloudEvents 1.0.
 *
 * @example
 * ```ts
 * import { createEvent } from "waybill";
 *
 * const event = createEvent({ type: "order.placed", source: "/shop", data: { orderId: "o-1" } });
 * console.log(event.id, event.time);
 * ```
 */
export function createEvent<const Type extends string, Data = undefined>(
  init: EventInit<Type, Data>,
  { clock = systemClock, ids = defaultIds }: EventDefaults = {},
): CloudEvent<Type, Data> {
  const { extensions, data, id = ids(), time = new Date(clock.now()).toISOString(), ...rest } = init;
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) given[name] = value;
  const event = { ...given, id, time, data, extensions: Object.freeze(copyExtensions(extensions)) };
  checkEvent(event as unknown as CloudEvent);
  return Object.freeze(event) as unknown as CloudEvent<Type, Data>;
}
