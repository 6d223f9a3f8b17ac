// Compiled by `tsc -p .` and never run: every `@ts-expect-error` is a claim that the next line does not compile.
import * as v from "valibot";
import {
  type BatchDelivery,
  type BatchEntry,
  createEventBus,
  type DataInput,
  type DataOutput,
  defineEvents,
  type ReplyInput,
  type ReplyOutput,
  upcasters,
} from "waybill";
import { memoryTransport } from "waybill/memory";
import { arktypeEvents, type miniEvents, type valibotEvents, type zodEvents } from "./schemas.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const claim = <_Claim extends true>(): void => undefined;

// Four libraries: publishers hand in the input, handlers get the output.
type Zod = typeof zodEvents;
claim<Equal<DataInput<Zod, "counted">, { id: string; n: string }>>();
claim<Equal<DataOutput<Zod, "counted">, { id: string; n: number }>>();
claim<Equal<DataOutput<Zod, "named">, { name: string }>>();
claim<Equal<ReplyInput<Zod, "asked">, { name: string; n: string }>>();
claim<Equal<ReplyOutput<Zod, "asked">, { name: string; n: number }>>();
type Mini = typeof miniEvents;
claim<Equal<DataInput<Mini, "counted">, { id: string; n: string }>>();
claim<Equal<DataOutput<Mini, "counted">, { id: string; n: number }>>();
claim<Equal<DataOutput<Mini, "named">, { name: string }>>();
claim<Equal<ReplyInput<Mini, "asked">, { name: string; n: string }>>();
claim<Equal<ReplyOutput<Mini, "asked">, { name: string; n: number }>>();
type Valibot = typeof valibotEvents;
claim<Equal<DataInput<Valibot, "counted">, { id: string; n: string }>>();
claim<Equal<DataOutput<Valibot, "counted">, { id: string; n: number }>>();
claim<Equal<DataOutput<Valibot, "named">, { name: string }>>();
claim<Equal<ReplyInput<Valibot, "asked">, { name: string; n: string }>>();
claim<Equal<ReplyOutput<Valibot, "asked">, { name: string; n: number }>>();
type Arktype = typeof arktypeEvents;
claim<Equal<DataInput<Arktype, "counted">, { id: string; n: string }>>();
claim<Equal<DataOutput<Arktype, "counted">, { id: string; n: number }>>();
claim<Equal<ReplyInput<Arktype, "asked">, { name: string; n: string }>>();
claim<Equal<ReplyOutput<Arktype, "asked">, { name: string; n: number }>>();

const bus = createEventBus({ source: "/types", events: arktypeEvents, transports: { memory: memoryTransport() } });
type Events = Arktype;

/** With `batch` the handler takes entries, without it an event. */
export async function batches(): Promise<void> {
  const batch = { maxEvents: 10, maxWaitMs: 100 };
  await bus.subscribe(
    "counted",
    (entries, whole) => {
      claim<Equal<typeof entries, readonly BatchEntry<Events, "counted">[]>>();
      claim<Equal<typeof whole, BatchDelivery>>();
      for (const { event, delivery } of entries) {
        claim<Equal<typeof event.type, "counted">>();
        claim<Equal<typeof event.data, { id: string; n: number }>>();
        delivery.fail(new Error("no"));
        void delivery.publish("counted", { id: "a", n: "1" });
        // @ts-expect-error what a handler publishes is typed as well
        void delivery.publish("counted", { id: "a", n: 1 });
      }
      // @ts-expect-error a batch is read only
      entries.pop();
    },
    { batch, group: "g", transport: "memory" },
  );
  await bus.subscribe(
    "*",
    (entries) => {
      const { event } = entries[0]!;
      if (event.type === "counted") claim<Equal<typeof event.data, { id: string; n: number }>>();
      else claim<Equal<typeof event.data, { name: string }>>();
    },
    { batch },
  );
  await bus.subscribe("counted", (event, delivery) => {
    claim<Equal<typeof event.data, { id: string; n: number }>>();
    // @ts-expect-error only an entry of a batch is failed apart
    delivery.fail(new Error("no"));
  });
  // @ts-expect-error a pattern that matches nothing
  await bus.subscribe("nope.*", (entries: readonly unknown[]) => entries, { batch });
  // @ts-expect-error both limits are needed
  await bus.subscribe("counted", (entries) => entries, { batch: { maxEvents: 1 } });
  // @ts-expect-error no such transport
  await bus.subscribe("counted", (entries) => entries, { batch, transport: "nats" });
  // @ts-expect-error a handler of batches without limits
  await bus.subscribe("counted", (entries: readonly BatchEntry<Events, "counted">[]) => entries);
  // @ts-expect-error requests are answered one by one
  await bus.respond("asked", () => ({ name: "a", n: "1" }), { batch });
}

// Versions: the last upcaster makes what the schema takes.
const schema = v.object({ id: v.string(), n: v.pipe(v.string(), v.transform(Number)) });
defineEvents({
  a: {
    schema,
    dataschema: "urn:a:3",
    upcast: upcasters(
      { type: "a.v1", up: (data: { n: number }, event) => ({ ...data, id: event.id }) },
      { dataschema: "urn:a:2", up: (data: { id: string; n: number }) => ({ id: data.id, n: String(data.n) }) },
    ),
  },
});
defineEvents({
  a: {
    schema,
    // @ts-expect-error the schema's output instead of its input
    upcast: upcasters({ type: "a.v1", up: (data: { id: string }) => ({ id: data.id, n: 1 }) }),
  },
});
// @ts-expect-error an upcaster has a function
upcasters({ type: "a.v1" });
// @ts-expect-error there is a version at least
upcasters();
