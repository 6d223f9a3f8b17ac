import type { HeaderCarrier } from "../../core/message.ts";
import type { NatsHeadersLike } from "./nats-like.ts";

interface Field {
  readonly name: string;
  values: string[];
}

const NOTHING: readonly string[] = [];

/** {@link natsHeaders}, in a file of its own: bundlers place whole files, and a page that only publishes needs none. */
export function headerCarrier(message: { readonly headers?: NatsHeadersLike | undefined }): HeaderCarrier {
  let fields: Map<string, Field> | undefined;
  const load = (): Map<string, Field> => {
    fields ??= parse(message);
    return fields;
  };
  return {
    get: (name) => load().get(name.toLowerCase())?.values[0],
    getAll: (name) => load().get(name.toLowerCase())?.values ?? NOTHING,
    set(name, value) {
      load().set(name.toLowerCase(), { name, values: [value] });
    },
    keys: () => Array.from(load().values(), (field) => field.name),
  };
}

function parse(message: { readonly headers?: NatsHeadersLike | undefined }): Map<string, Field> {
  const fields = new Map<string, Field>();
  try {
    for (const [name, values] of message.headers ?? []) {
      const lower = name.toLowerCase();
      const field = fields.get(lower);
      if (field === undefined) fields.set(lower, { name, values: [...values] });
      else field.values.push(...values);
    }
  } catch {
    fields.clear();
  }
  return fields;
}
