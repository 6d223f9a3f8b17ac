import type { HeaderCarrier } from "../../core/message.ts";

/** Headers over a list of pairs: names match without regard to case, repetitions stay. */
export function pairHeaders(given: readonly (readonly [string, string])[]): HeaderCarrier {
  let pairs = given;
  const same = (name: string): ((pair: readonly [string, string]) => boolean) => {
    const lower = name.toLowerCase();
    return ([other]) => other.toLowerCase() === lower;
  };
  return {
    get: (name) => pairs.find(same(name))?.[1],
    getAll: (name) => pairs.filter(same(name)).map(([, value]) => value),
    set(name, value) {
      const matches = same(name);
      pairs = [...pairs.filter((pair) => !matches(pair)), [name, value]];
    },
    entries: () => pairs.flat(),
    keys: () => [...new Map(pairs.map(([name]) => [name.toLowerCase(), name])).values()],
  };
}
