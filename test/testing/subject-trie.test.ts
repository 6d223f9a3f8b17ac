import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SubjectTrie, validSubject } from "../../testing/embedded-nats/subject-trie.ts";

/** The definition of a match, one token at a time. */
function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  if (pattern[0] === ">") return subject.length > 0;
  if (pattern.length === 0 || subject.length === 0) return pattern.length === subject.length;
  return (pattern[0] === "*" || pattern[0] === subject[0]) && matches(pattern.slice(1), subject.slice(1));
}

const token = fc.constantFrom("a", "b", "c");
const subjects = fc.array(token, { minLength: 1, maxLength: 4 });
const patterns = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, rest]) => (rest ? [...tokens, ">"] : tokens));

describe("SubjectTrie", () => {
  test("finds exactly what the definition of a match says, also after removals", () => {
    fc.assert(
      fc.property(fc.array(patterns), fc.array(subjects), (all, asked) => {
        const trie = new SubjectTrie<{ subject: string; queue: string; n: number }>();
        const interests = all.map((pattern, n) => ({ subject: pattern.join("."), queue: n % 3 === 0 ? "g" : "", n }));
        for (const interest of interests) trie.add(interest);
        const check = (left: typeof interests): void => {
          for (const subject of asked) {
            const found = trie.match(subject.join("."));
            const numbers = [...found.plain, ...found.groups.flat()].map(({ n }) => n).sort((a, b) => a - b);
            expect(numbers).toEqual(left.filter(({ n }) => matches(all[n]!, subject)).map(({ n }) => n));
          }
        };
        check(interests);
        const left = interests.filter(({ n }) => n % 2 === 0);
        for (const interest of interests) if (!left.includes(interest)) trie.remove(interest);
        check(left);
      }),
    );
  });

  test("joins the members of one group across patterns", () => {
    const trie = new SubjectTrie<{ subject: string; queue: string }>();
    for (const subject of ["a.*", "a.>", "a.b"]) trie.add({ subject, queue: "g" });
    expect(trie.match("a.b").groups.map((members) => members.length)).toEqual([3]);
  });

  test.each<[string, boolean, boolean]>([
    ["a.b", true, true],
    ["a.*.>", false, true],
    ["a.>.b", false, false],
    ["a..b", false, false],
    [".a", false, false],
    ["", false, false],
    ["a b", false, false],
    ["a*.b>", true, true],
  ])("takes %j as a subject: %s, as a pattern: %s", (subject, literal, pattern) => {
    expect(validSubject(subject, false)).toBe(literal);
    expect(validSubject(subject, true)).toBe(pattern);
  });
});
