import * as v from "valibot";
import { defineEvents } from "waybill";

const price = v.object({ sku: v.string(), price: v.number() });

/** What the cart page and the shop's services say to each other. */
export const events = defineEvents({
  "price.quote": { schema: v.object({ sku: v.string() }), reply: price },
  "cart.updated": { schema: v.object({ items: v.array(price) }) },
  "price.changed": { schema: price },
});
