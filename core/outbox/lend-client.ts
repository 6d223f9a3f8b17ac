import { EventError } from "../errors.ts";

/** A client in the hands of somebody else for a while. */
export interface LentClient<Client> {
  /** Every call of it throws `fenced` after {@link end}. */
  readonly client: Client;
  /** The connection may be another's from now on. */
  end(): void;
}

/** Lends a client as it is: what it is an instance of, and what it keeps in private fields, stays within reach. */
export function lend<Client extends object>(client: Client): LentClient<Client> {
  let over = false;
  const lent = new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        // Outside of its transaction a statement would be committed at once, or by a stranger.
        if (over) throw new EventError("fenced", "inbox: the transaction has ended, and its connection was given back");
        return Reflect.apply(value, target, given);
      };
    },
  });
  return {
    client: lent,
    end() {
      over = true;
    },
  };
}
