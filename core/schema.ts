import { EventError } from "./errors.ts";

/** The part of Standard Schema (standardschema.dev) that Waybill calls: zod, valibot, arktype and others fit. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** Version 1 of the interface. `validate` may answer with a promise; `types` exists for the compiler alone. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema answers. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One complaint of a schema. */
export interface SchemaIssue {
  /** What is wrong, for people. */
  readonly message: string;
  /** Keys from the whole to the part that is wrong. Undefined: the whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What may be handed to a schema. */
export type InferInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
/** What comes out of a schema. */
export type InferOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

function unwrap<T>(result: SchemaResult<T>, what: string): T {
  if (!result.issues) return result.value;
  const issues = result.issues.slice(0, 8).map(({ message, path = [] }) => {
    const keys = path.map((part) => String((part as { key?: PropertyKey }).key ?? part)).join(".");
    return (keys && `${keys}: `) + message;
  });
  throw new EventError("invalid-data", `${what} does not fit its schema: ${issues.join("; ")}`, {
    cause: result.issues,
  });
}

/**
 * Validates `value`; a promise only when the schema answers with one.
 *
 * @throws EventError `invalid-data`, naming the path and complaint of up to eight issues. What an asynchronous schema
 * rejects with has not said that the data is wrong: then it is retryable.
 */
export function validate<T>(schema: StandardSchema<unknown, T>, value: unknown, what: string): T | Promise<T> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? unwrapLater(result, what) : unwrap(result, what);
}

function unwrapLater<T>(result: Promise<SchemaResult<T>>, what: string): Promise<T> {
  const answer = result.then(
    (settled) => unwrap(settled, what),
    (reason) => {
      throw EventError.from(reason, "invalid-data", true);
    },
  );
  answer.catch(() => undefined); // `post` only looks whether it is a promise
  return answer;
}
