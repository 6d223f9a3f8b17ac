import { EventError } from "./errors.ts";
import type { CloudEvent } from "./event.ts";

/** One older version of a type: how its events are told from others, and how their data becomes the next version's. */
export interface Upcaster<Next = unknown> {
  /** The type under which this version was published. Default: the current type. */
  readonly type?: string;
  /**
   * The `dataschema` of this version; null for events without one. Left out, the type alone tells this version, and
   * then it may not be the current type.
   */
  readonly dataschema?: string | null;
  /** Where this version was published, when it was not where the current one is. */
  readonly destination?: string;
  /**
   * Makes the data of the next version. `event` is the event as it came. Old data is not validated before: declare
   * what it looks like, `(data: OrderV1) => …`.
   */
  up(data: unknown, event: CloudEvent): Next;
}

/** The older versions of a type, oldest first; the last one makes the data of the current version. */
export type Upcasters<Current = unknown> = readonly [...Upcaster[], Upcaster<Current>];

/**
 * Lists the older versions of a type, oldest first. An event of one of them is lifted through all that follow, then
 * validated by the current schema.
 *
 * @throws EventError `invalid-option` when a version tells neither type nor `dataschema`, when two are told alike, or
 * when `up` is no function.
 *
 * @example
 * ```ts
 * import { defineEvents, upcasters } from "waybill";
 * import * as v from "valibot";
 *
 * export const events = defineEvents({
 *   "order.placed": {
 *     schema: v.object({ orderId: v.string(), cents: v.number(), currency: v.string() }),
 *     dataschema: "https://shop.example/order-placed/3",
 *     upcast: upcasters(
 *       { type: "order.placed.v1", up: (data: { id: string; amount: number }) => ({ orderId: data.id, amount: data.amount }) },
 *       {
 *         dataschema: "https://shop.example/order-placed/2",
 *         up: (data: { orderId: string; amount: number }) => ({
 *           orderId: data.orderId,
 *           cents: Math.round(data.amount * 100),
 *           currency: "EUR",
 *         }),
 *       },
 *     ),
 *   },
 * });
 * ```
 */
export function upcasters<Current>(...versions: Upcasters<Current>): Upcasters<Current> {
  const told = new Set<string>();
  for (const { type, dataschema, up } of versions) {
    const by = JSON.stringify({ type, dataschema });
    if (type === undefined && dataschema === undefined) {
      throw new EventError("invalid-option", "an upcaster must tell its version by type, by dataschema or by both");
    }
    if (told.has(by)) throw new EventError("invalid-option", `two upcasters tell their version by ${by}`);
    if (typeof up !== "function") throw new EventError("invalid-option", `the upcaster of ${by} has no function "up"`);
    told.add(by);
  }
  return Object.freeze(versions);
}
