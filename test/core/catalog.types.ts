// Compiled by `tsc -p .` and never run: every `@ts-expect-error` is a claim that the next line does not compile.
import * as v from "valibot";
import {
  type CloudEvent,
  createEventBus,
  type DataInput,
  type DataOutput,
  defineEvents,
  type EventOf,
  type Matches,
  type MatchingTypes,
  type ReplyOutput,
} from "waybill";
import { memoryTransport } from "waybill/memory";
import { z } from "zod";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const claim = <_Claim extends true>(): void => undefined;

const events = defineEvents({
  "order.placed": { schema: v.object({ orderId: v.string() }), destination: "orders", key: (data) => data.orderId },
  "order.item.added": { schema: z.object({ n: z.string().transform(Number) }) },
  "price.quote": {
    schema: v.object({ sku: v.string() }),
    reply: v.object({ price: v.pipe(v.string(), v.transform(Number)) }),
  },
});
type Events = typeof events;

// Definitions.
// @ts-expect-error key takes the schema's input
defineEvents({ a: { schema: v.object({ id: v.string() }), key: (data) => data.no } });
// @ts-expect-error a key is text
defineEvents({ a: { schema: v.object({ id: v.number() }), key: (data) => data.id } });
// @ts-expect-error a definition has a schema
defineEvents({ a: { destination: "x" } });

// Patterns at compile time follow the rule at run time.
claim<Equal<Matches<"order.*", "order.placed">, true>>();
claim<Equal<Matches<"order.*", "order.item.added">, false>>();
claim<Equal<Matches<"order.**", "order.item.added">, true>>();
claim<Equal<Matches<"order.**", "order">, false>>();
claim<Equal<Matches<"*", "order.placed">, false>>();
claim<Equal<Matches<"*.item.*", "order.item.added">, true>>();
claim<Equal<Matches<"order", "order.placed">, false>>();
claim<Equal<MatchingTypes<Events, "order.*">, "order.placed">>();
claim<Equal<MatchingTypes<Events, "order.**">, "order.placed" | "order.item.added">>();
claim<Equal<MatchingTypes<Events, "**">, keyof Events>>();
claim<Equal<MatchingTypes<Events, "nope.*">, never>>();

// Data: publishers hand in the schema's input, handlers get its output.
claim<Equal<DataInput<Events, "order.item.added">, { n: string }>>();
claim<Equal<DataOutput<Events, "order.item.added">, { n: number }>>();
claim<Equal<ReplyOutput<Events, "price.quote">, { price: number }>>();
claim<Equal<EventOf<Events, "order.*">, CloudEvent<"order.placed", { orderId: string }>>>();

const transports = { memory: memoryTransport(), other: memoryTransport() };
const bus = createEventBus({ source: "/types", events, transports, routes: [{ type: "**", to: "memory" }] });

// Routes and transports.
// @ts-expect-error no such transport
createEventBus({ source: "/types", events, transports, routes: [{ type: "**", to: "nats" }] });
// @ts-expect-error a bus has transports
createEventBus({ source: "/types", events });

export async function publishing(): Promise<void> {
  const receipt = await bus.publish("order.placed", { orderId: "o-1" });
  claim<Equal<typeof receipt.offset, number | undefined>>();
  await bus.publish("order.item.added", { n: "1" }, { key: "k", timeoutMs: 100 });
  // @ts-expect-error a typing error in the type
  await bus.publish("order.plced", { orderId: "o-1" });
  // @ts-expect-error a pattern is no type
  await bus.publish("order.*", { orderId: "o-1" });
  // @ts-expect-error another type's data
  await bus.publish("order.placed", { sku: "a" });
  // @ts-expect-error the output instead of the input
  await bus.publish("order.item.added", { n: 1 });
  // @ts-expect-error no data
  await bus.publish("order.placed");
  // @ts-expect-error no such option
  await bus.publish("order.placed", { orderId: "o-1" }, { keys: "k" });
  // @ts-expect-error another type's data
  bus.post("price.quote", { orderId: "o-1" });
  await bus.publishAll([
    { type: "order.placed", data: { orderId: "o-1" } },
    { type: "price.quote", data: { sku: "a" } },
    // @ts-expect-error the data of another item's type
    { type: "price.quote", data: { orderId: "o-1" } },
  ]);
}

export async function subscribing(): Promise<void> {
  await bus.subscribe("order.placed", (event, delivery) => {
    claim<Equal<typeof event.type, "order.placed">>();
    claim<Equal<typeof event.data, { orderId: string }>>();
    void delivery.publish("order.item.added", { n: "1" });
    // @ts-expect-error what a handler publishes is typed as well
    void delivery.publish("order.item.added", { n: 1 });
    // @ts-expect-error events are read only
    event.id = "2";
  });
  await bus.subscribe("order.**", (event) => {
    claim<Equal<typeof event.type, "order.placed" | "order.item.added">>();
    // @ts-expect-error not every type has this member
    event.data.orderId;
    if (event.type === "order.placed") claim<Equal<typeof event.data, { orderId: string }>>();
    else claim<Equal<typeof event.data, { n: number }>>();
  });
  await bus.subscribe("**", (event) => claim<Equal<typeof event.type, keyof Events>>(), {
    transport: "other",
    group: "g",
  });
  // @ts-expect-error a pattern that matches nothing
  await bus.subscribe("nope.*", () => undefined);
  // @ts-expect-error a typing error in the type
  await bus.subscribe("order.plced", () => undefined);
  // @ts-expect-error `*` is one token
  await bus.subscribe("*", () => undefined);
  // @ts-expect-error no such transport
  await bus.subscribe("order.placed", () => undefined, { transport: "nats" });
  // @ts-expect-error no such order
  await bus.subscribe("order.placed", () => undefined, { order: "total" });
}

export async function asking(): Promise<void> {
  const reply = await bus.request("price.quote", { sku: "a" });
  claim<Equal<typeof reply.data, { price: number }>>();
  const untold = await bus.request("order.placed", { orderId: "o-1" });
  claim<Equal<typeof untold.data, unknown>>();
  // @ts-expect-error another type's data
  await bus.request("price.quote", { orderId: "o-1" });
  await bus.respond("price.quote", (event) => ({ price: event.data.sku }));
  await bus.respond("price.quote", async () => ({ price: "1" }), { group: "pricing" });
  // @ts-expect-error the answer is the reply schema's input
  await bus.respond("price.quote", () => ({ price: 1 }));
  // @ts-expect-error an answer is owed
  await bus.respond("price.quote", () => undefined);
}

/** Without a catalog any type goes, with data of no known type. */
export async function untyped(): Promise<void> {
  const plain = createEventBus({ source: "/types", transports: { memory: memoryTransport() } });
  await plain.publish("anything", { at: "all" });
  await plain.subscribe("any.*", (event) => {
    claim<Equal<typeof event.type, string>>();
    claim<Equal<typeof event.data, unknown>>();
  });
  // @ts-expect-error no such transport
  await plain.subscribe("any.*", () => undefined, { transport: "nats" });
}
