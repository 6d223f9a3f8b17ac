import type { HeaderCarrier } from "../../core/message.ts";
import type { NatsHeadersLike } from "./nats-like.ts";

interface Field {
  readonly name: string;
  values: string[];
}

const NOTHING: readonly string[] = [];

/**
 * Reads the headers of a received NATS message: names match without regard to case, a name may have several values.
 *
 * Parsing waits for the first access. Headers the client cannot parse (a name with illegal characters) read as none,
 * so that one hostile message cannot stop a subscription. A header called `__proto__` is a name like any other.
 *
 * @param message Anything with the client's `headers`: a received message.
 *
 * @example
 * ```ts
 * import { natsHeaders } from "waybill/nats";
 *
 * const carrier = natsHeaders({ headers: new Map([["Ce-Type", ["order.placed"]]]) });
 * carrier.get("ce-type"); // "order.placed"
 * ```
 */
export function natsHeaders(message: { readonly headers?: NatsHeadersLike | undefined }): HeaderCarrier {
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
