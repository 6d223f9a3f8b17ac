import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matches } from "../../core/pattern.ts";
import { overlap, setAside } from "../../core/pattern-overlap.ts";

/** The rule in the plainest words: a regular expression. */
function model(pattern: string, name: string): boolean {
  const source = pattern
    .split(".")
    .map((token) => (token === "**" ? "[^.]+(\\.[^.]+)*" : token === "*" ? "[^.]+" : token))
    .join("\\.");
  return new RegExp(`^${source}$`).test(name);
}

const token = fc.constantFrom("a", "b");
const name = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 3 }), fc.constantFrom("a", "b", "*", "**"))
  .map(([head, last]) => [...head, last].join("."));
/** Every name of up to five tokens. Two patterns of up to four tokens that share a name share one of these. */
const names: string[] = [1, 2, 3, 4, 5].flatMap((length) =>
  Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (_, i) => ((bits >> i) & 1 ? "a" : "b")).join("."),
  ),
);

describe("matches", () => {
  test.each([
    ["order.placed", "order.placed", true],
    ["order.placed", "order.placed.v2", false],
    ["order.*", "order.placed", true],
    ["order.*", "order.item.added", false],
    ["order.*", "order", false],
    ["*.placed", "order.placed", true],
    ["order.**", "order.placed", true],
    ["order.**", "order.item.added", true],
    ["order.**", "order", false],
    ["order.**", "orders.placed", false],
    ["*.item.**", "order.item.added", true],
    ["*", "order", true],
    ["*", "order.placed", false],
    ["**", "order", true],
    ["**", "order.item.added", true],
    ["order.pl*", "order.placed", false],
    ["order.placed", "orderXplaced", false],
  ])("%s and %s: %s", (wanted, given, expected) => {
    expect(matches(wanted, given)).toBe(expected);
  });
  test("agrees with the model for all patterns and names", () => {
    fc.assert(
      fc.property(pattern, name, (wanted, given) => matches(wanted, given) === model(wanted, given)),
      { numRuns: 5000 },
    );
  }, 60_000);
});

describe("overlap", () => {
  test.each([
    ["order.*", "order.placed", true],
    ["order.*", "*.placed", true],
    ["order.*", "price.*", false],
    ["order.**", "order.item.added", true],
    ["order.**", "order", false],
    ["order.**", "**", true],
    ["*.a.**", "b.*.c", true],
    ["*", "a.b", false],
  ])("of %s and %s: %s", (a, b, expected) => {
    expect(overlap(a, b)).toBe(expected);
    expect(overlap(b, a)).toBe(expected);
  });
  test("is there exactly when some name matches both", () => {
    fc.assert(
      fc.property(pattern, pattern, (a, b) => {
        const shared = names.some((each) => model(a, each) && model(b, each));
        return overlap(a, b) === shared && overlap(b, a) === shared;
      }),
      { numRuns: 2000 },
    );
  }, 60_000);
});

test.each([
  ["orders.dlq", true],
  ["orders.retry", true],
  ["orders.parked", true],
  ["orders", false],
  ["dlq", false],
  ["orders.dlq.x", false],
  ["orders.mydlq", false],
])("%s is set aside: %s", (destination, expected) => {
  expect(setAside.test(destination)).toBe(expected);
});
