import * as v from "valibot";
import { defineEvents } from "waybill";

const order = v.object({ orderId: v.string(), sku: v.string(), price: v.number() });

/** What the page and the services say to each other. */
export const events = defineEvents({
  "price.quote": { schema: v.object({ sku: v.string() }), reply: v.object({ sku: v.string(), price: v.number() }) },
  "cart.updated": { schema: v.object({ sku: v.string(), items: v.number() }) },
  "order.placed": { schema: order, key: (data) => data.orderId },
  "order.confirmed": { schema: v.object({ orderId: v.string(), durableHop: v.string() }), key: (data) => data.orderId },
});
