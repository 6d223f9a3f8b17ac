import type { CloudEvent } from "./event.ts";
import { checkText } from "./event.ts";
import type { InferInput, InferOutput, StandardSchema } from "./schema.ts";
import type { Upcasters } from "./upcasters.ts";

/** One type of event: the schema of its data, and where and how it travels. */
export interface EventDefinition<
  Schema extends StandardSchema = StandardSchema,
  Reply extends StandardSchema = StandardSchema,
> {
  /** Any Standard Schema. Publishers hand in its input, which is what travels; handlers get its output. */
  readonly schema: Schema;
  /** Subject or topic. Default: the type's name. Several types may share one. */
  readonly destination?: string;
  /** URI of the schema of this version, written into each event unless the publisher names another. Default: none. */
  readonly dataschema?: string;
  /** Older versions, which consumers take as well: see {@link upcasters}. */
  readonly upcast?: Upcasters<InferInput<Schema>>;
  /** The ordering key of an event, from its data. */
  key?(data: InferInput<Schema>): string;
  /** The schema of the data that answers a request of this type. */
  readonly reply?: Reply;
}

/** The catalog without its types, as the bus reads it at run time. */
export type Catalog = Readonly<Record<string, EventDefinition>>;

/** That replies are schemas. Apart, since an intersection with the types of arktype is too deep to compile. */
type Checked<R> = {
  readonly [K in keyof R]: unknown extends R[K]
    ? unknown
    : R[K] extends StandardSchema
      ? unknown
      : { readonly reply?: StandardSchema };
};

type OrAny<Reply> = Reply extends StandardSchema ? Reply : StandardSchema;

/**
 * The types of events that an application knows, typed and validated.
 *
 * @throws EventError `invalid-event` when a type's name is empty or has control characters.
 *
 * @example
 * ```ts
 * import { defineEvents } from "waybill";
 * import * as v from "valibot";
 *
 * export const events = defineEvents({
 *   "order.placed": {
 *     schema: v.object({ orderId: v.string(), amount: v.number() }),
 *     destination: "orders",
 *     key: (data) => data.orderId,
 *   },
 *   "price.quote": { schema: v.object({ sku: v.string() }), reply: v.object({ price: v.number() }) },
 * });
 * ```
 */
export function defineEvents<const T extends Record<string, StandardSchema>, const R>(
  // Two mapped types, because TypeScript infers through one mapped type for one type parameter only.
  definitions: {
    readonly [K in keyof T]: {
      readonly schema: T[K];
      readonly destination?: string;
      readonly dataschema?: string;
      readonly upcast?: Upcasters<InferInput<T[K]>>;
      key?(data: InferInput<T[K]>): string;
      readonly reply?: unknown;
    };
  } & { readonly [K in keyof R]: { readonly reply?: R[K] } } & Checked<NoInfer<R>>,
): { readonly [K in keyof T]: EventDefinition<T[K], K extends keyof R ? OrAny<R[K]> : StandardSchema> } {
  for (const type in definitions) checkText("type", type);
  return Object.freeze({ ...definitions }) as never;
}

/** The names of a catalog, or any string without one. */
export type TypeName<C extends Catalog> = string extends keyof C ? string : keyof C & string;

/** What a publisher hands in for a type. */
export type DataInput<C extends Catalog, K> = K extends keyof C ? InferInput<C[K]["schema"]> : unknown;

/** What a handler gets for a type. */
export type DataOutput<C extends Catalog, K> = K extends keyof C ? InferOutput<C[K]["schema"]> : unknown;

/** What answers a request of a type, as the requester gets it. */
export type ReplyOutput<C extends Catalog, K> = K extends keyof C ? InferOutput<NonNullable<C[K]["reply"]>> : unknown;

/** What a responder returns. */
export type ReplyInput<C extends Catalog, K> = K extends keyof C ? InferInput<NonNullable<C[K]["reply"]>> : unknown;

/** Whether name `N` matches pattern `P`, at compile time; the same rule as `matches` at run time. */
export type Matches<P extends string, N extends string> = P extends "**"
  ? true
  : P extends `${infer PHead}.${infer PRest}`
    ? N extends `${infer NHead}.${infer NRest}`
      ? PHead extends "*" | NHead
        ? Matches<PRest, NRest>
        : false
      : false
    : N extends `${string}.${string}`
      ? false
      : P extends "*" | N
        ? true
        : false;

/** The names of a catalog that a pattern matches. */
export type MatchingTypes<C extends Catalog, P extends string> = string extends keyof C
  ? string
  : { [K in keyof C & string]: Matches<P, K> extends true ? K : never }[keyof C & string];

/** `P` itself, or never when it matches nothing in the catalog: such a pattern does not compile. */
export type PatternOf<C extends Catalog, P extends string> = [MatchingTypes<C, P>] extends [never] ? never : P;

/** The events that a pattern matches: a union told apart by `type`. */
export type EventOf<C extends Catalog, P extends string> = string extends keyof C
  ? CloudEvent
  : { [K in MatchingTypes<C, P>]: CloudEvent<K, DataOutput<C, K>> }[MatchingTypes<C, P>];
