import fc from "fast-check";
import { expect, test } from "vitest";
import { Chain, type Chained } from "../../../core/delivery/chain.ts";

interface Link extends Chained<Link> {
  readonly id: number;
}

test("a chain is a list of its items, from whose middle any may go", () => {
  const step = fc.oneof(fc.constant("push" as const), fc.constant("shift" as const), fc.record({ remove: fc.nat(20) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const chain = new Chain<Link>();
      const model: Link[] = [];
      let ids = 0;
      for (const each of steps) {
        if (each === "push") {
          const link: Link = { id: ids++, following: undefined };
          chain.push(link);
          model.push(link);
        } else if (each === "shift") {
          const gone = chain.shift();
          expect(gone).toBe(model.shift());
          // It keeps nothing of what followed.
          expect(gone?.following).toBeUndefined();
        } else {
          const [gone = { id: -1, following: undefined }] = model.splice(each.remove, 1);
          chain.remove(gone);
          expect(gone.following).toBeUndefined();
        }
        expect([...chain].map(({ id }) => id)).toEqual(model.map(({ id }) => id));
      }
    }),
    { numRuns: 1_000 },
  );
});
