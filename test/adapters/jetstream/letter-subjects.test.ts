import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intersection } from "../../../adapters/jetstream/intersection.ts";
import { letterSubjects } from "../../../adapters/jetstream/letter-subjects.ts";
import { covers } from "../../../adapters/jetstream/subjects.ts";

const token = fc.constantFrom("a", "b", "dlq");
const subject = fc.array(token, { minLength: 1, maxLength: 4, size: "medium" }).map((each) => each.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 3, size: "medium" }), fc.boolean())
  .filter(([tokens, open]) => tokens.length > 0 || open)
  .map(([tokens, open]) => [...tokens, ...(open ? [">"] : [])].join("."));

describe("an intersection of subjects", () => {
  test.each([
    ["order.*", "order.placed", "order.placed"],
    ["order.>", "*.placed", "order.placed"],
    [">", "order.*", "order.*"],
    ["order.>", "*.*.x", "order.*.x"],
    ["order.*", "order", undefined],
    ["order.>", "order", undefined],
    ["a.b", "a.c", undefined],
  ])("of %s and %s is %s", (one, other, both) => {
    expect([intersection(one, other), intersection(other, one)]).toEqual([both, both]);
  });
  test("has exactly what both have", () => {
    fc.assert(
      fc.property(pattern, pattern, subject, (one, other, each) => {
        const both = intersection(one, other);
        const inBoth = covers(one, each) && covers(other, each);
        expect(both !== undefined && covers(both, each)).toBe(inBoth);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the letters of a stream", () => {
  test.each([
    [["order.placed"], ["order.placed.dlq"]],
    [["order.*"], ["order.*.dlq"]],
    [["order.>"], ["dlq.order.>"]],
    [
      ["order", "order.*"],
      ["dlq.order", "order.*.dlq"],
    ],
    [["*"], ["dlq.*"]],
    [["$KV.x.>", "a"], ["a.dlq"]],
  ])("of %j go to %j", (subjects, all) => {
    expect(letterSubjects("S", subjects).all).toEqual(all);
  });
  test.each([[[">"]], [["*.>"]], [["order.>", "dlq.>"]]])("have no place beside %j", (subjects) => {
    expect(() => letterSubjects("S", subjects)).toThrow(
      expect.objectContaining({ code: "unsupported", message: expect.stringContaining("deadLetter.destination") }),
    );
  });
  test("are no events of the stream, and lie where a reader of any source looks for them", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
        pattern,
        subject,
        (subjects, source, each) => {
          let letters: ReturnType<typeof letterSubjects>;
          try {
            letters = letterSubjects("S", subjects);
          } catch {
            return;
          }
          for (const one of letters.all) for (const own of subjects) expect(intersection(one, own)).toBeUndefined();
          const of = letters.of(each);
          expect(of === undefined).toBe(!subjects.some((own) => covers(own, each)));
          if (of === undefined) return;
          expect(letters.all.some((one) => covers(one, of))).toBe(true);
          if (covers(source, each)) expect(letters.within(source).some((one) => covers(one, of))).toBe(true);
          for (const one of letters.within(source)) expect(letters.all.some((all) => covers(all, one))).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
