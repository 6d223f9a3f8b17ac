import { type } from "arktype";
import * as v from "valibot";
import { defineEvents } from "waybill";
import { z } from "zod";
import * as mini from "zod/mini";

/** Whether a name is free, as a look-up would say it. */
export const isFree = async (name: string): Promise<boolean> => {
  if (name === "broken") throw new Error("the look-up failed");
  return name !== "taken";
};
const taken = "taken already";

// The same catalog in four libraries: a text that becomes a number, an asynchronous check, a request with a reply.
// arktype has no asynchronous schemas.

export const zodEvents = defineEvents({
  counted: { schema: z.object({ id: z.string(), n: z.string().transform(Number) }), key: (data) => data.id },
  named: { schema: z.object({ name: z.string().refine(isFree, taken) }) },
  asked: {
    schema: z.object({ name: z.string() }),
    reply: z.object({ name: z.string().refine(isFree, taken), n: z.string().transform(Number) }),
  },
});
export const miniEvents = defineEvents({
  counted: {
    schema: mini.object({ id: mini.string(), n: mini.pipe(mini.string(), mini.transform(Number)) }),
    key: (data) => data.id,
  },
  named: { schema: mini.object({ name: mini.string().check(mini.refine(isFree, taken)) }) },
  asked: {
    schema: mini.object({ name: mini.string() }),
    reply: mini.object({
      name: mini.string().check(mini.refine(isFree, taken)),
      n: mini.pipe(mini.string(), mini.transform(Number)),
    }),
  },
});
export const valibotEvents = defineEvents({
  counted: { schema: v.object({ id: v.string(), n: v.pipe(v.string(), v.transform(Number)) }), key: (data) => data.id },
  named: { schema: v.objectAsync({ name: v.pipeAsync(v.string(), v.checkAsync(isFree, taken)) }) },
  asked: {
    schema: v.object({ name: v.string() }),
    reply: v.objectAsync({
      name: v.pipeAsync(v.string(), v.checkAsync(isFree, taken)),
      n: v.pipe(v.string(), v.transform(Number)),
    }),
  },
});
export const arktypeEvents = defineEvents({
  counted: {
    schema: type({ id: "string", n: type("string").pipe((text) => Number(text)) }),
    key: (data) => data.id,
  },
  asked: {
    schema: type({ name: "string" }),
    reply: type({ name: "string", n: type("string").pipe((text) => Number(text)) }),
  },
});
