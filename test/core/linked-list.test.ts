import fc from "fast-check";
import { expect, test } from "vitest";
import { type Linked, LinkedList } from "../../core/linked-list.ts";

interface Item extends Linked<Item> {
  readonly n: number;
}

const steps = fc.array(fc.oneof(fc.constant("push" as const), fc.nat(20)), { maxLength: 60 });

test("random pushes and removals leave what an array would have", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const list = new LinkedList<Item>();
      const all: Item[] = [];
      let model: Item[] = [];
      for (const step of taken) {
        if (step === "push") {
          const item: Item = { n: all.length, previous: undefined, next: undefined };
          all.push(item);
          model.push(item);
          list.push(item);
        } else if (all.length > 0) {
          // Also one that was removed before.
          const item = all[step % all.length]!;
          model = model.filter((each) => each !== item);
          list.remove(item);
          expect([item.previous, item.next]).toEqual([undefined, undefined]);
        }
        expect([...list].map(({ n }) => n)).toEqual(model.map(({ n }) => n));
        expect([list.first?.n, list.size]).toEqual([model[0]?.n, model.length]);
      }
    }),
  );
});

test("what is removed while it is its turn does not end the iteration", () => {
  const list = new LinkedList<Item>();
  for (const n of [1, 2, 3]) list.push({ n, previous: undefined, next: undefined });
  const seen: number[] = [];
  for (const item of list) {
    seen.push(item.n);
    list.remove(item);
  }
  expect([seen, list.size]).toEqual([[1, 2, 3], 0]);
});
