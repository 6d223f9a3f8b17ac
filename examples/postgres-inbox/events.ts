import * as v from "valibot";
import { defineEvents } from "waybill";

/** What the shop tells, and what the books answer. */
export const events = defineEvents({
  "orders.placed": {
    schema: v.object({ orderId: v.string(), amount: v.number() }),
    key: (data) => data.orderId,
  },
  "orders.booked": {
    schema: v.object({ orderId: v.string(), total: v.number() }),
    key: (data) => data.orderId,
  },
});
