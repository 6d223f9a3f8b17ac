import * as v from "valibot";
import { z } from "zod";
import { type DataInput, defineEvents, type EventOf, type MatchingTypes, type ReplyOutput } from "../core/catalog.ts";

const events = defineEvents({
  "order.placed": { schema: v.object({ orderId: v.string() }), destination: "orders", key: (data) => data.orderId },
  "order.item.added": { schema: z.object({ n: z.string().transform(Number) }) },
  "price.quote": { schema: v.object({ sku: v.string() }), reply: v.object({ price: v.number() }) },
});
type E = typeof events;
const a: MatchingTypes<E, "order.*"> = "order.placed";
// @ts-expect-error
const b: MatchingTypes<E, "order.*"> = "order.item.added";
declare const ev: EventOf<E, "order.**">;
if (ev.type === "order.placed") {
  const x: string = ev.data.orderId;
} else {
  const n: number = ev.data.n;
}
const r: ReplyOutput<E, "price.quote"> = { price: 1 };
// @ts-expect-error
const r2: ReplyOutput<E, "price.quote"> = { price: "1" };
const i: DataInput<E, "order.item.added"> = { n: "1" };
