import fc from "fast-check";
import { expect, test } from "vitest";
import { createRetryPolicy } from "../../core/delivery/retry-policy.ts";
import { matches } from "../../core/pattern.ts";
import { overlap } from "../../core/pattern-overlap.ts";
import type { Registration } from "../../core/reception.ts";
import { Registrations } from "../../core/registrations.ts";

const token = fc.constantFrom("a", "b", "c");
const type = fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join("."));
const pattern = fc.oneof(
  type,
  fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join(".")),
  fc.array(token, { maxLength: 2 }).map((tokens) => [...tokens, "**"].join(".")),
);
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), pattern }),
  fc.record({ do: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ do: fc.constant("find" as const), type }),
);

test("finds handlers and rivals as a list that is read from its start does, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(step, { size: "medium" }), (steps) => {
      const registrations = new Registrations();
      const list: Registration[] = [];
      for (const each of steps) {
        if (each.do === "find") {
          expect(registrations.find(each.type)).toBe(list.find((one) => matches(one.pattern, each.type)));
        } else if (each.do === "remove") {
          const [gone] = list.length > 0 ? list.splice(each.at % list.length, 1) : [];
          if (gone) registrations.remove(gone);
        } else {
          const rivals = list.filter((one) => overlap(one.pattern, each.pattern));
          const rival = registrations.rivalOf(each.pattern);
          expect(rivals.length === 0 ? rival === undefined : rivals.includes(rival!)).toBe(true);
          if (rivals.length > 0) continue;
          const made: Registration = {
            pattern: each.pattern,
            handler: () => undefined,
            options: {},
            policy: createRetryPolicy({}, 1),
          };
          registrations.add(made);
          list.push(made);
        }
        expect(registrations.size).toBe(list.length);
      }
    }),
    { numRuns: 1_000 },
  );
});
